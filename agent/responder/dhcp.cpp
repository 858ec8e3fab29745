#include "responder/dhcp.h"

#include <algorithm>
#include <optional>

#include "ovs-integration/wire.h"
#include "responder/udp.h"

namespace hnv::responder {

namespace {

using policy::GuestConfig;

// Offsets into the message (RFC 2131 section 2).
constexpr std::size_t kOperation = 0;
constexpr std::size_t kHardwareType = 1;
constexpr std::size_t kHardwareLength = 2;
constexpr std::size_t kTransaction = 4;
constexpr std::size_t kFlags = 10;
constexpr std::size_t kClientAddress = 12;
constexpr std::size_t kRelayAddress = 24;
constexpr std::size_t kClientMac = 28;
constexpr std::size_t kNames = 44;  // sname and file, which are not used.
constexpr std::size_t kCookie = 236;
constexpr std::size_t kOptions = 240;

constexpr std::uint8_t kRequestOperation = 1;
constexpr std::uint8_t kReplyOperation = 2;
constexpr std::uint8_t kEthernet = 1;
constexpr std::uint8_t kMacLength = 6;
constexpr std::uint32_t kMagicCookie = 0x63825363;
constexpr std::uint16_t kBroadcastFlag = 0x8000;

enum class Type : std::uint8_t {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
};

enum class Code : std::uint8_t {
    Pad = 0,
    SubnetMask = 1,
    Router = 3,
    DnsServer = 6,
    DomainName = 15,
    InterfaceMtu = 26,
    RequestedAddress = 50,
    LeaseTime = 51,
    MessageType = 53,
    ServerIdentifier = 54,
    ParameterRequestList = 55,
    MaximumSize = 57,
    RenewalTime = 58,
    RebindingTime = 59,
    ClientIdentifier = 61,
    RapidCommit = 80,
    End = 255,
};

// What every client takes (RFC 2131 section 2), IP and UDP headers included, and what those are.
constexpr std::size_t kMinimumMessage = 576;
constexpr std::size_t kHeaders = 28;
constexpr std::size_t kMaxListed = 8;
constexpr std::uint16_t kMinimumMtu = 68;  // RFC 2132 section 5.1.

struct Message {
    View bytes;
    Type type{};
    std::uint32_t client_address = 0;
    std::optional<std::uint32_t> requested;
    std::optional<std::uint32_t> server;
    std::optional<View> asked;  // The parameter request list.
    View client_id;
    std::size_t longest = kMinimumMessage;
    bool rapid_commit = false;

    [[nodiscard]] bool asks_for(Code code) const {
        return !asked || std::ranges::find(*asked, static_cast<std::uint8_t>(code)) != asked->end();
    }
};

// False: of a length that the option can't have.
[[nodiscard]] bool take_option(std::uint8_t code, View value, Message& message) {
    switch (static_cast<Code>(code)) {
        case Code::MessageType:
            if (value.size() != 1) {
                return false;
            }
            message.type = static_cast<Type>(value[0]);
            break;
        case Code::RequestedAddress:
        case Code::ServerIdentifier:
            if (value.size() != 4) {
                return false;
            }
            (static_cast<Code>(code) == Code::RequestedAddress ? message.requested
                                                               : message.server) = read32(value, 0);
            break;
        case Code::ParameterRequestList:
            message.asked = value;
            break;
        case Code::MaximumSize:
            if (value.size() != 2) {
                return false;
            }
            message.longest = std::max<std::size_t>(read16(value, 0), kMinimumMessage);
            break;
        case Code::ClientIdentifier:
            message.client_id = value;
            break;
        case Code::RapidCommit:
            message.rapid_commit = true;
            break;
        default:
            break;
    }
    return true;
}

[[nodiscard]] bool take_options(View options, Message& message) {
    while (!options.empty() && options[0] != static_cast<std::uint8_t>(Code::End)) {
        if (options[0] == static_cast<std::uint8_t>(Code::Pad)) {
            options = options.subspan(1);
            continue;
        }
        if (options.size() < 2 || options.size() - 2 < options[1] ||
            !take_option(options[0], options.subspan(2, options[1]), message)) {
            return false;
        }
        options = options.subspan(2 + std::size_t{options[1]});
    }
    return message.type != Type{};
}

[[nodiscard]] std::optional<Message> parse(View payload) {
    if (payload.size() < kOptions || payload[kOperation] != kRequestOperation ||
        payload[kHardwareType] != kEthernet || payload[kHardwareLength] != kMacLength ||
        read32(payload, kCookie) != kMagicCookie) {
        return std::nullopt;
    }
    Message message;
    message.bytes = payload;
    message.client_address = read32(payload, kClientAddress);
    if (!take_options(payload.subspan(kOptions), message)) {
        return std::nullopt;
    }
    return message;
}

class Reply {
  public:
    Reply(const Message& message, const GuestConfig& config, Type type)
        : message_(message),
          config_(config),
          type_(type),
          limit_(std::min(message.longest - kHeaders, kPayloadCapacity)) {}

    [[nodiscard]] Frame build() {
        const bool inform = message_.type == Type::Inform;
        const bool lease = type_ != Type::Nak && !inform;
        write_header(lease);
        option8(Code::MessageType, static_cast<std::uint8_t>(type_));
        option32(Code::ServerIdentifier, config_.server.v4());
        option(Code::ClientIdentifier, message_.client_id);  // RFC 6842.
        if (lease) {
            write_times();
        }
        if (message_.type == Type::Discover && type_ == Type::Ack) {
            header(Code::RapidCommit, 0);
        }
        if (type_ != Type::Nak) {
            write_parameters();
        }
        payload_.put8(static_cast<std::uint8_t>(Code::End));
        return build_datagram(address(), payload_);
    }

  private:
    [[nodiscard]] std::uint32_t own_address() const { return config_.v4->address.v4(); }

    void write_header(bool lease) {
        payload_.put8(kReplyOperation);
        payload_.put8(kEthernet);
        payload_.put8(kMacLength);
        payload_.put8(0);
        payload_.put(message_.bytes.subspan(kTransaction, 4));
        payload_.put16(0);
        payload_.put(message_.bytes.subspan(kFlags, 2));
        payload_.put32(type_ == Type::Ack ? message_.client_address : 0);
        payload_.put32(lease ? own_address() : 0);
        payload_.put32(0);  // No other server to go to,
        payload_.put32(0);  // and no relay.
        payload_.put(config_.mac.bytes);
        payload_.put_zeros(kNames - kClientMac - kMacLength + kCookie - kNames);
        payload_.put32(kMagicCookie);
    }

    // RFC 2131 section 4.4.5.
    void write_times() {
        const std::uint64_t seconds = config_.lease_seconds;
        option32(Code::LeaseTime, config_.lease_seconds);
        option32(Code::RenewalTime, static_cast<std::uint32_t>(seconds / 2));
        option32(Code::RebindingTime, static_cast<std::uint32_t>(seconds * 7 / 8));
    }

    // A mask is told in any case: a client would have to guess it.
    void write_parameters() {
        const unsigned length = config_.v4->length;
        option32(Code::SubnetMask, length == 0 ? 0 : ~std::uint32_t{0} << (32 - length));
        addresses(Code::Router, config_.routers);
        addresses(Code::DnsServer, config_.dns_v4);
        if (config_.mtu >= kMinimumMtu && message_.asks_for(Code::InterfaceMtu)) {
            header(Code::InterfaceMtu, 2);
            payload_.put16(static_cast<std::uint16_t>(config_.mtu));
        }
        if (message_.asks_for(Code::DomainName)) {
            const auto* text = reinterpret_cast<const std::uint8_t*>(config_.domain.data());
            option(Code::DomainName, {text, config_.domain.size()});
        }
    }

    // With room for the end behind it.
    [[nodiscard]] bool fits(std::size_t length) const {
        return payload_.size() + 2 + length + 1 <= limit_;
    }
    void header(Code code, std::size_t length) {
        payload_.put8(static_cast<std::uint8_t>(code));
        payload_.put8(static_cast<std::uint8_t>(length));
    }
    void option(Code code, View value) {
        if (!value.empty() && fits(value.size())) {
            header(code, value.size());
            payload_.put(value);
        }
    }
    void option8(Code code, std::uint8_t value) {
        header(code, 1);
        payload_.put8(value);
    }
    void option32(Code code, std::uint32_t value) {
        header(code, 4);
        payload_.put32(value);
    }
    void addresses(Code code, const std::vector<IpAddress>& list) {
        const std::size_t count = std::min(list.size(), kMaxListed);
        if (count == 0 || !message_.asks_for(code) || !fits(count * 4)) {
            return;
        }
        header(code, count * 4);
        for (std::size_t i = 0; i < count; ++i) {
            payload_.put32(list[i].v4());
        }
    }

    // RFC 2131 section 4.1.
    [[nodiscard]] DatagramHeader address() const {
        constexpr MacAddress kEverybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
        DatagramHeader to{config_.mac, config_.router_mac,    config_.server,
                          {},          wire::kDhcpServerPort, wire::kDhcpClientPort};
        const bool to_all = (read16(message_.bytes, kFlags) & kBroadcastFlag) != 0;
        if (type_ == Type::Nak || (message_.client_address == 0 && to_all)) {
            to.destination_mac = kEverybody;
            to.destination = IpAddress::from_v4(0xffffffffU);
        } else if (message_.client_address != 0) {
            to.destination = IpAddress::from_v4(message_.client_address);
        } else {
            to.destination = config_.v4->address;
        }
        return to;
    }

    const Message& message_;
    const GuestConfig& config_;
    const Type type_;
    const std::size_t limit_;  // Of the payload.
    Payload payload_;
};

[[nodiscard]] GuestReply reply(const Message& message, const GuestConfig& config, Type type) {
    return {type == Type::Nak ? GuestVerdict::Denied : GuestVerdict::Answered,
            Reply(message, config, type).build()};
}

// RFC 2131 section 4.3.2: which state the client is in shows by what it fills in.
[[nodiscard]] GuestReply answer_request(const Message& message, const GuestConfig& config) {
    if (message.server && *message.server != config.server.v4()) {
        return {GuestVerdict::Ignored, {}};  // It has chosen another server's offer.
    }
    const std::uint32_t wanted = message.requested.value_or(message.client_address);
    if (wanted == 0) {
        return {};
    }
    return reply(message, config, wanted == config.v4->address.v4() ? Type::Ack : Type::Nak);
}

// Only what is already the guest's own address is spoken to.
[[nodiscard]] GuestReply answer_inform(const Message& message, const IpAddress& source,
                                       const GuestConfig& config) {
    if (message.client_address == 0) {
        return {};
    }
    if (source != IpAddress::from_v4(message.client_address)) {
        return {GuestVerdict::Ignored, {}};
    }
    return reply(message, config, Type::Ack);
}

}  // namespace

GuestReply answer_dhcp(std::span<const std::uint8_t> frame, const policy::GuestConfig& config) {
    const auto datagram = parse_datagram(frame);
    if (!datagram || !datagram->source.is_v4() ||
        datagram->destination_port != wire::kDhcpServerPort) {
        return {};
    }
    const auto message = parse(datagram->payload);
    if (!message) {
        return {};
    }
    if (!config.v4 || read_mac(message->bytes, kClientMac) != config.mac ||
        read32(message->bytes, kRelayAddress) != 0) {
        return {GuestVerdict::Ignored, {}};
    }
    switch (message->type) {
        case Type::Discover:
            return reply(*message, config, message->rapid_commit ? Type::Ack : Type::Offer);
        case Type::Request:
            return answer_request(*message, config);
        case Type::Inform:
            return answer_inform(*message, datagram->source, config);
        case Type::Decline:
            return {GuestVerdict::Declined, {}};
        case Type::Release:
            return {GuestVerdict::Released, {}};
        case Type::Offer:
        case Type::Ack:
        case Type::Nak:
            break;
    }
    return {};
}

}  // namespace hnv::responder
