#include "responder/dhcpv6.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "ovs-integration/wire.h"
#include "responder/udp.h"

namespace hnv::responder {

namespace {

using policy::GuestConfig;

enum class Type : std::uint8_t {
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    InformationRequest = 11,
};

enum class Code : std::uint16_t {
    ClientId = 1,
    ServerId = 2,
    IaNa = 3,
    IaTa = 4,
    IaAddress = 5,
    OptionRequest = 6,
    Preference = 7,
    StatusCode = 13,
    RapidCommit = 14,
    DnsServers = 23,
    DomainList = 24,
    IaPd = 25,
};

enum class StatusCode : std::uint16_t {
    Success = 0,
    NoAddrsAvail = 2,
    NotOnLink = 4,
    NoPrefixAvail = 6,
};

constexpr std::size_t kMessageHeader = 4;  // Type and transaction id.
constexpr std::size_t kOptionHeader = 4;
constexpr std::size_t kAddressLength = 16;
// RFC 8415 section 11.1, type code and all.
constexpr std::size_t kMinDuid = 3;
constexpr std::size_t kMaxDuid = 130;
// More than a guest has; what is beyond is not answered.
constexpr std::size_t kMaxAssociations = 4;
constexpr std::size_t kMaxStaleAddresses = 4;
constexpr std::size_t kMaxListed = 8;

// An identity association (RFC 8415 sections 21.4, 21.5 and 21.21).
struct Association {
    Code code{};
    std::uint32_t id = 0;
    View options;
};

struct Message {
    Type type{};
    View transaction;
    View client_id;
    View server_id;
    std::optional<View> asked;  // The option request.
    bool rapid_commit = false;
    std::array<Association, kMaxAssociations> associations;
    std::size_t association_count = 0;

    [[nodiscard]] std::span<const Association> ias() const {
        return std::span(associations).first(association_count);
    }
    [[nodiscard]] bool asks_for(Code code) const {
        for (std::size_t at = 0; asked && at + 2 <= asked->size(); at += 2) {
            if (read16(*asked, at) == static_cast<std::uint16_t>(code)) {
                return true;
            }
        }
        return !asked;
    }
};

struct Option {
    Code code{};
    View value;
};

// Takes the first option off; nullopt: it is not whole.
[[nodiscard]] std::optional<Option> next_option(View& options) {
    if (options.size() < kOptionHeader) {
        return std::nullopt;
    }
    const std::size_t length = read16(options, 2);
    if (options.size() - kOptionHeader < length) {
        return std::nullopt;
    }
    const Option option{static_cast<Code>(read16(options, 0)),
                        options.subspan(kOptionHeader, length)};
    options = options.subspan(kOptionHeader + length);
    return option;
}

[[nodiscard]] bool take_association(const Option& option, Message& message) {
    const std::size_t header = option.code == Code::IaTa ? 4 : 12;
    if (option.value.size() < header) {
        return false;
    }
    if (message.association_count < kMaxAssociations) {
        message.associations[message.association_count++] = {option.code, read32(option.value, 0),
                                                             option.value.subspan(header)};
    }
    return true;
}

[[nodiscard]] bool take_option(const Option& option, Message& message) {
    switch (option.code) {
        case Code::ClientId:
            message.client_id = option.value;
            return option.value.size() >= kMinDuid && option.value.size() <= kMaxDuid;
        case Code::ServerId:
            message.server_id = option.value;
            return !option.value.empty();
        case Code::OptionRequest:
            message.asked = option.value;
            return option.value.size() % 2 == 0;
        case Code::RapidCommit:
            message.rapid_commit = true;
            return true;
        case Code::IaNa:
        case Code::IaTa:
        case Code::IaPd:
            return take_association(option, message);
        default:
            return true;
    }
}

[[nodiscard]] std::optional<Message> parse(View payload) {
    if (payload.size() < kMessageHeader) {
        return std::nullopt;
    }
    Message message;
    message.type = static_cast<Type>(payload[0]);
    message.transaction = payload.subspan(1, 3);
    View options = payload.subspan(kMessageHeader);
    while (!options.empty()) {
        const auto option = next_option(options);
        if (!option || !take_option(*option, message)) {
            return std::nullopt;
        }
    }
    return message;
}

// The addresses that the client names in the association.
template <typename Visit>
void for_each_address(const Association& association, const Visit& visit) {
    View options = association.options;
    while (const auto option = next_option(options)) {
        if (option->code == Code::IaAddress && option->value.size() >= kAddressLength) {
            visit(read_ipv6(option->value, 0));
        }
    }
}

// DUID-LL (RFC 8415 section 11.4) of the router.
using Duid = std::array<std::uint8_t, 10>;
[[nodiscard]] Duid duid_of(const MacAddress& mac) {
    Duid duid{0, 3, 0, 1};
    std::ranges::copy(mac.bytes, duid.begin() + 4);
    return duid;
}

class Reply {
  public:
    Reply(const Message& message, const GuestConfig& config, Type type)
        : message_(message), config_(config) {
        payload_.put8(static_cast<std::uint8_t>(type));
        payload_.put(message.transaction);
        if (!message.client_id.empty()) {
            option(Code::ClientId, message.client_id);
        }
        option(Code::ServerId, duid_of(config.router_mac));
    }

    void associations() {
        bool given = false;
        for (const Association& each : message_.ias()) {
            switch (each.code) {
                case Code::IaNa:
                    if (!std::exchange(given, true)) {
                        lease(each);
                    } else {
                        refuse(each, 8, StatusCode::NoAddrsAvail);
                    }
                    break;
                case Code::IaPd:
                    refuse(each, 8, StatusCode::NoPrefixAvail);
                    break;
                default:
                    refuse(each, 0, StatusCode::NoAddrsAvail);
                    break;
            }
        }
    }

    void status(StatusCode code) { put_status(code); }

    void rapid_commit() { header(Code::RapidCommit, 0); }

    // Nobody else is to be waited for (RFC 8415 section 18.2.1).
    void preference() {
        header(Code::Preference, 1);
        payload_.put8(255);
    }

    void parameters() {
        const std::size_t count = std::min(config_.dns_v6.size(), kMaxListed);
        if (count > 0 && message_.asks_for(Code::DnsServers) && fits(count * kAddressLength)) {
            header(Code::DnsServers, count * kAddressLength);
            for (std::size_t i = 0; i < count; ++i) {
                payload_.put(config_.dns_v6[i].bytes());
            }
        }
        // A length in front of each label, and one of 0 behind the last.
        const std::size_t length = config_.domain.size() + 2;
        if (!config_.domain.empty() && message_.asks_for(Code::DomainList) && fits(length)) {
            header(Code::DomainList, length);
            put_domain(config_.domain);
        }
    }

    [[nodiscard]] Frame build(const Datagram& to) const {
        return build_datagram({to.sender_mac, config_.router_mac, link_local_of(config_.router_mac),
                               to.source, wire::kDhcpv6ServerPort, wire::kDhcpv6ClientPort},
                              payload_);
    }

  private:
    [[nodiscard]] bool fits(std::size_t length) const {
        return kOptionHeader + length <= payload_.room();
    }
    void header(Code code, std::size_t length) {
        payload_.put16(static_cast<std::uint16_t>(code));
        payload_.put16(static_cast<std::uint16_t>(length));
    }
    void option(Code code, View value) {
        header(code, value.size());
        payload_.put(value);
    }
    void put_status(StatusCode code) {
        header(Code::StatusCode, 2);
        payload_.put16(static_cast<std::uint16_t>(code));
    }
    void put_domain(std::string_view name) {
        while (!name.empty()) {
            const std::string_view label = name.substr(0, name.find('.'));
            payload_.put8(static_cast<std::uint8_t>(label.size()));
            payload_.put({reinterpret_cast<const std::uint8_t*>(label.data()), label.size()});
            name.remove_prefix(std::min(name.size(), label.size() + 1));
        }
        payload_.put8(0);
    }

    void put_address(const IpAddress& address, std::uint32_t seconds) {
        header(Code::IaAddress, kAddressLength + 8);
        payload_.put(address.bytes());
        payload_.put32(seconds);  // Preferred,
        payload_.put32(seconds);  // and valid.
    }

    // The guest's own address; what else it names in the association it is to give up (RFC 8415
    // section 18.3.4).
    void lease(const Association& association) {
        const std::uint64_t seconds = config_.lease_seconds;
        const std::size_t begin = payload_.size();
        header(association.code, 0);
        payload_.put32(association.id);
        payload_.put32(static_cast<std::uint32_t>(seconds / 2));
        payload_.put32(static_cast<std::uint32_t>(seconds * 4 / 5));
        put_address(config_.v6->address, config_.lease_seconds);
        std::size_t stale = 0;
        if (message_.type != Type::Solicit) {
            for_each_address(association, [&](const IpAddress& address) {
                if (address != config_.v6->address && stale++ < kMaxStaleAddresses) {
                    put_address(address, 0);
                }
            });
        }
        payload_.set16(begin + 2,
                       static_cast<std::uint16_t>(payload_.size() - begin - kOptionHeader));
    }

    // `times`: bytes of T1 and T2, which a temporary association has not.
    void refuse(const Association& association, std::size_t times, StatusCode code) {
        header(association.code, 4 + times + kOptionHeader + 2);
        payload_.put32(association.id);
        payload_.put_zeros(times);
        put_status(code);
    }

    const Message& message_;
    const GuestConfig& config_;
    Payload payload_;
};

// RFC 8415 section 16: who must name itself, and whom.
[[nodiscard]] GuestVerdict judge(const Message& message, const GuestConfig& config) {
    const bool ours = std::ranges::equal(message.server_id, duid_of(config.router_mac));
    const bool named = !message.client_id.empty();
    switch (message.type) {
        case Type::Solicit:
        case Type::Confirm:
        case Type::Rebind:
            return named && message.server_id.empty() ? GuestVerdict::Answered
                                                      : GuestVerdict::Malformed;
        case Type::Request:
        case Type::Renew:
        case Type::Release:
        case Type::Decline:
            if (!named || message.server_id.empty()) {
                return GuestVerdict::Malformed;
            }
            return ours ? GuestVerdict::Answered : GuestVerdict::Ignored;
        case Type::InformationRequest:
            if (message.association_count > 0) {
                return GuestVerdict::Malformed;
            }
            return ours || message.server_id.empty() ? GuestVerdict::Answered
                                                     : GuestVerdict::Ignored;
        case Type::Advertise:
        case Type::Reply:
            break;
    }
    return GuestVerdict::Malformed;
}

// Whether what the client has is what it is to have; nullopt: it names nothing.
[[nodiscard]] std::optional<bool> confirms(const Message& message, const GuestConfig& config) {
    std::optional<bool> right;
    for (const Association& each : message.ias()) {
        if (each.code == Code::IaNa) {
            for_each_address(each, [&](const IpAddress& address) {
                right = right.value_or(true) && address == config.v6->address;
            });
        }
    }
    return right;
}

[[nodiscard]] GuestReply answer(const Message& message, const Datagram& from,
                                const GuestConfig& config) {
    const bool advertise = message.type == Type::Solicit && !message.rapid_commit;
    Reply reply(message, config, advertise ? Type::Advertise : Type::Reply);
    GuestVerdict verdict = GuestVerdict::Answered;
    if (message.type == Type::Confirm) {
        const auto right = confirms(message, config);
        if (!right) {
            return {GuestVerdict::Ignored, {}};  // RFC 8415 section 18.3.3.
        }
        reply.status(*right ? StatusCode::Success : StatusCode::NotOnLink);
        verdict = *right ? GuestVerdict::Answered : GuestVerdict::Denied;
    } else if (message.type == Type::Release || message.type == Type::Decline) {
        reply.status(StatusCode::Success);
        verdict = message.type == Type::Release ? GuestVerdict::Released : GuestVerdict::Declined;
    } else {
        reply.associations();
        if (advertise) {
            reply.preference();
        } else if (message.type == Type::Solicit) {
            reply.rapid_commit();
        }
        reply.parameters();
    }
    return {verdict, reply.build(from)};
}

[[nodiscard]] bool is_link_local(const IpAddress& ip) {
    return ip.bytes()[0] == 0xfe && ip.bytes()[1] >> 6 == 2;
}

}  // namespace

GuestReply answer_dhcpv6(std::span<const std::uint8_t> frame, const policy::GuestConfig& config) {
    const auto datagram = parse_datagram(frame);
    if (!datagram || !is_link_local(datagram->source) ||
        datagram->destination_port != wire::kDhcpv6ServerPort) {
        return {};
    }
    const auto message = parse(datagram->payload);
    if (!message) {
        return {};
    }
    if (!config.v6 || datagram->sender_mac != config.mac) {
        return {GuestVerdict::Ignored, {}};
    }
    const GuestVerdict verdict = judge(*message, config);
    return verdict == GuestVerdict::Answered ? answer(*message, *datagram, config)
                                             : GuestReply{verdict, {}};
}

}  // namespace hnv::responder
