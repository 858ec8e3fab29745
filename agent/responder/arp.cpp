#include "responder/arp.h"

#include <algorithm>

namespace hnv::responder {

namespace {

// Offsets into the frame; the ARP body begins at 14.
constexpr std::size_t kEthDestination = 0;
constexpr std::size_t kEthSource = 6;
constexpr std::size_t kEthType = 12;
constexpr std::size_t kHardwareType = 14;
constexpr std::size_t kProtocolType = 16;
constexpr std::size_t kHardwareLength = 18;
constexpr std::size_t kProtocolLength = 19;
constexpr std::size_t kOperation = 20;
constexpr std::size_t kSenderMac = 22;
constexpr std::size_t kSenderIp = 28;
constexpr std::size_t kTargetMac = 32;
constexpr std::size_t kTargetIp = 38;
static_assert(kTargetIp + 4 == kArpFrameLength);

constexpr std::uint16_t kEtherTypeArp = 0x0806;
constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint8_t kMacLength = 6;
constexpr std::uint8_t kIpv4Length = 4;
constexpr std::uint16_t kRequest = 1;
constexpr std::uint16_t kReply = 2;

// The view has a whole ARP frame: every offset above is inside it by its type.
using Frame = std::span<const std::uint8_t, kArpFrameLength>;

[[nodiscard]] std::uint16_t get16(Frame frame, std::size_t at) {
    return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

[[nodiscard]] std::uint32_t get32(Frame frame, std::size_t at) {
    return static_cast<std::uint32_t>(get16(frame, at)) << 16 | get16(frame, at + 2);
}

[[nodiscard]] MacAddress get_mac(Frame frame, std::size_t at) {
    MacAddress mac;
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(),
                mac.bytes.begin());
    return mac;
}

void put16(ArpReply& frame, std::size_t at, std::uint16_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

void put32(ArpReply& frame, std::size_t at, std::uint32_t value) {
    put16(frame, at, static_cast<std::uint16_t>(value >> 16));
    put16(frame, at + 2, static_cast<std::uint16_t>(value));
}

void put_mac(ArpReply& frame, std::size_t at, const MacAddress& mac) {
    std::copy(mac.bytes.begin(), mac.bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
}

// 224.0.0.0/4 (RFC 5771) and 255.255.255.255 (RFC 919) are never one host's. A subnet's own
// broadcast address is not known here; no policy has a mapping for it.
[[nodiscard]] bool is_group(std::uint32_t ip) { return ip >> 28 == 0xe || ip == 0xffffffffU; }

[[nodiscard]] bool can_be_answered(const MacAddress& mac) {
    return !mac.is_multicast() && mac != MacAddress{};
}

}  // namespace

std::variant<ArpRequest, ArpError> parse_arp_request(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kArpFrameLength) {
        return ArpError::Truncated;
    }
    const Frame frame = bytes.first<kArpFrameLength>();
    if (get16(frame, kEthType) != kEtherTypeArp) {
        return ArpError::NotArp;
    }
    if (get16(frame, kHardwareType) != kHardwareEthernet ||
        get16(frame, kProtocolType) != kEtherTypeIpv4 || frame[kHardwareLength] != kMacLength ||
        frame[kProtocolLength] != kIpv4Length) {
        return ArpError::NotIpv4Ethernet;
    }
    if (get16(frame, kOperation) != kRequest) {
        return ArpError::NotRequest;
    }
    const ArpRequest request{get_mac(frame, kSenderMac), get32(frame, kSenderIp),
                             get32(frame, kTargetIp)};
    if (!can_be_answered(request.sender_mac) || request.sender_mac != get_mac(frame, kEthSource) ||
        is_group(request.sender_ip)) {
        return ArpError::BadSender;
    }
    if (request.target_ip == 0 || is_group(request.target_ip)) {
        return ArpError::BadTarget;
    }
    return request;
}

ArpAnswer answer_arp(const ArpRequest& request, std::uint32_t vsid,
                     const policy::NeighbourTable& neighbours) {
    if (request.sender_ip == request.target_ip) {
        return {ArpVerdict::OwnAddress, {}};
    }
    const auto mac = neighbours.find(vsid, IpAddress::from_v4(request.target_ip));
    if (!mac) {
        return {ArpVerdict::Unknown, {}};
    }
    if (*mac == request.sender_mac) {
        return {ArpVerdict::OwnAddress, {}};
    }
    return {ArpVerdict::Reply, *mac};
}

ArpReply build_arp_reply(const ArpRequest& request, const MacAddress& target_mac) {
    ArpReply reply{};
    put_mac(reply, kEthDestination, request.sender_mac);
    put_mac(reply, kEthSource, target_mac);
    put16(reply, kEthType, kEtherTypeArp);
    put16(reply, kHardwareType, kHardwareEthernet);
    put16(reply, kProtocolType, kEtherTypeIpv4);
    reply[kHardwareLength] = kMacLength;
    reply[kProtocolLength] = kIpv4Length;
    put16(reply, kOperation, kReply);
    put_mac(reply, kSenderMac, target_mac);
    put32(reply, kSenderIp, request.target_ip);
    put_mac(reply, kTargetMac, request.sender_mac);
    put32(reply, kTargetIp, request.sender_ip);
    return reply;
}

}  // namespace hnv::responder
