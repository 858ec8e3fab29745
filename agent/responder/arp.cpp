#include "responder/arp.h"

#include "ovs-integration/wire.h"

namespace hnv::responder {

namespace {

// Offsets into the frame; the ARP body begins at 14.
constexpr std::size_t kHardwareType = kEthernetHeaderLength;
constexpr std::size_t kProtocolType = 16;
constexpr std::size_t kHardwareLength = 18;
constexpr std::size_t kProtocolLength = 19;
constexpr std::size_t kOperation = 20;
constexpr std::size_t kSenderMac = 22;
constexpr std::size_t kSenderIp = 28;
constexpr std::size_t kTargetMac = 32;
constexpr std::size_t kTargetIp = 38;
static_assert(kTargetIp + 4 == kArpFrameLength);

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint8_t kMacLength = 6;
constexpr std::uint8_t kIpv4Length = 4;
constexpr std::uint16_t kReply = 2;

}  // namespace

std::variant<ArpRequest, ArpError> parse_arp_request(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kArpFrameLength) {
        return ArpError::Truncated;
    }
    // Every offset above is inside of it.
    const auto frame = bytes.first<kArpFrameLength>();
    if (read16(frame, kEthType) != wire::kArp) {
        return ArpError::NotArp;
    }
    if (read16(frame, kHardwareType) != kHardwareEthernet ||
        read16(frame, kProtocolType) != wire::kIpv4 || frame[kHardwareLength] != kMacLength ||
        frame[kProtocolLength] != kIpv4Length) {
        return ArpError::NotIpv4Ethernet;
    }
    if (read16(frame, kOperation) != wire::kArpRequest) {
        return ArpError::NotRequest;
    }
    const ArpRequest request{read_mac(frame, kSenderMac), read32(frame, kSenderIp),
                             read32(frame, kTargetIp)};
    if (!is_one_station(request.sender_mac) || request.sender_mac != read_mac(frame, kEthSource) ||
        is_group_v4(request.sender_ip)) {
        return ArpError::BadSender;
    }
    if (request.target_ip == 0 || is_group_v4(request.target_ip)) {
        return ArpError::BadTarget;
    }
    return request;
}

namespace {

[[nodiscard]] Question question_of(const ArpRequest& request) {
    return {request.sender_mac, IpAddress::from_v4(request.sender_ip),
            IpAddress::from_v4(request.target_ip)};
}

}  // namespace

Answer answer_arp(const ArpRequest& request, std::uint32_t vsid,
                  const policy::NeighbourTable& neighbours) {
    return answer(question_of(request), vsid, neighbours);
}

Answer answer_arp(const ArpRequest& request, const MacAddress& owner) {
    return answer(question_of(request), owner);
}

ArpReply build_arp_reply(const ArpRequest& request, const MacAddress& target_mac) {
    ArpReply reply{};
    write_ethernet_header(reply, request.sender_mac, target_mac, wire::kArp);
    write16(reply, kHardwareType, kHardwareEthernet);
    write16(reply, kProtocolType, wire::kIpv4);
    reply[kHardwareLength] = kMacLength;
    reply[kProtocolLength] = kIpv4Length;
    write16(reply, kOperation, kReply);
    write_mac(reply, kSenderMac, target_mac);
    write32(reply, kSenderIp, request.target_ip);
    write_mac(reply, kTargetMac, request.sender_mac);
    write32(reply, kTargetIp, request.sender_ip);
    return reply;
}

}  // namespace hnv::responder
