#include "responder/responder.h"

#include <algorithm>
#include <span>
#include <utility>
#include <variant>

#include "responder/arp.h"
#include "responder/dhcp.h"
#include "responder/dhcpv6.h"
#include "responder/icmp_error.h"
#include "responder/nd.h"
#include "responder/router_advertisement.h"

namespace hnv::responder {

namespace {

using pipeline::IcmpReason;
using pipeline::PacketInKind;
using pipeline::Reg;

constexpr std::size_t kMacLength = 6;
constexpr std::size_t kIpv4Length = 4;
constexpr std::size_t kIpv6Length = 16;
// In Reg::SourceVlan it tells a tag from none; in a tag it is the drop eligibility of IEEE 802.1Q.
constexpr std::uint32_t kVlanCfi = 0x1000;
constexpr std::uint32_t kVlanId = 0xfff;
constexpr std::size_t kPortKeyLength = 8;
// How often the advertisements that are due are sent, and how many in one go.
constexpr std::int64_t kAdvertisementPauseMsec = 1000;
constexpr std::size_t kAdvertisementsInOneGo = 100;

// A register that the packet-in does not tell is zero.
[[nodiscard]] std::uint32_t value_of(const ovs::PacketIn& packet_in, Reg reg) {
    const auto number = static_cast<std::size_t>(reg);
    return number < packet_in.registers.size() ? packet_in.registers[number] : 0;
}

[[nodiscard]] Outcome outcome_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::Reply:
            return Outcome::Answered;
        case Verdict::OwnAddress:
            return Outcome::OwnAddress;
        case Verdict::Unknown:
            break;
    }
    return Outcome::Missed;
}

// `userdata` here and below: behind its first byte (pipeline::PacketInKind has its form).
[[nodiscard]] Outcome respond_to_arp(const ovs::PacketIn& packet_in, View userdata,
                                     const policy::NeighbourTable& neighbours, Frame& reply) {
    const auto parsed = parse_arp_request(packet_in.packet);
    const auto* request = std::get_if<ArpRequest>(&parsed);
    if (request == nullptr) {
        return Outcome::Malformed;
    }
    const Answer answer = userdata.size() == kMacLength
                              ? answer_arp(*request, read_mac(userdata, 0))
                              : answer_arp(*request, value_of(packet_in, Reg::Vsid), neighbours);
    if (answer.verdict == Verdict::Reply) {
        reply.append(build_arp_reply(*request, answer.mac));
    }
    return outcome_of(answer.verdict);
}

[[nodiscard]] Outcome respond_to_nd(const ovs::PacketIn& packet_in, View userdata,
                                    const policy::NeighbourTable& neighbours, Frame& reply) {
    if (userdata.size() != kMacLength && userdata.size() != 2 * kMacLength) {
        return Outcome::Unexpected;
    }
    const auto parsed = parse_neighbour_solicitation(packet_in.packet);
    const auto* solicitation = std::get_if<NeighbourSolicitation>(&parsed);
    if (solicitation == nullptr) {
        return Outcome::Malformed;
    }
    const Answer answer =
        userdata.size() == 2 * kMacLength
            ? answer_solicitation(*solicitation, read_mac(userdata, kMacLength))
            : answer_solicitation(*solicitation, value_of(packet_in, Reg::Vsid), neighbours);
    if (answer.verdict == Verdict::Reply) {
        const bool is_router = answer.mac == read_mac(userdata, 0);
        reply.append(build_neighbour_advertisement(*solicitation, answer.mac, is_router));
    }
    return outcome_of(answer.verdict);
}

[[nodiscard]] std::optional<IcmpErrorOrder> icmp_error_order(const ovs::PacketIn& packet_in,
                                                             View userdata) {
    const std::uint32_t reason = value_of(packet_in, Reg::Reason);
    if (reason > static_cast<std::uint32_t>(IcmpReason::TooBig)) {
        return std::nullopt;
    }
    IcmpErrorOrder order{static_cast<IcmpReason>(reason), {}, {}, value_of(packet_in, Reg::Mtu)};
    if (userdata.size() == kMacLength + kIpv4Length) {
        order.source = IpAddress::from_v4(read32(userdata, kMacLength));
    } else if (userdata.size() == kMacLength + kIpv6Length) {
        order.source = read_ipv6(userdata, kMacLength);
    } else {
        return std::nullopt;
    }
    order.router_mac = read_mac(userdata, 0);
    return order;
}

[[nodiscard]] Outcome respond_with_icmp_error(const ovs::PacketIn& packet_in,
                                              const IcmpErrorOrder& order, Frame& reply) {
    const auto built = build_icmp_error(packet_in.packet, order);
    if (const auto* error = std::get_if<Frame>(&built)) {
        reply = *error;
        return Outcome::Answered;
    }
    switch (std::get<NoIcmpError>(built)) {
        case NoIcmpError::Malformed:
            return Outcome::Malformed;
        case NoIcmpError::Suppressed:
            return Outcome::Suppressed;
        case NoIcmpError::BadOrder:
            break;
    }
    return Outcome::Unexpected;
}

[[nodiscard]] Outcome outcome_of(GuestVerdict verdict) {
    switch (verdict) {
        case GuestVerdict::Answered:
            return Outcome::Answered;
        case GuestVerdict::Denied:
            return Outcome::Denied;
        case GuestVerdict::Declined:
            return Outcome::Declined;
        case GuestVerdict::Released:
            return Outcome::Released;
        case GuestVerdict::Ignored:
            return Outcome::Ignored;
        case GuestVerdict::Malformed:
            break;
    }
    return Outcome::Malformed;
}

[[nodiscard]] Outcome respond_to_guest(const ovs::PacketIn& packet_in, PacketInKind kind,
                                       View userdata, const policy::LeaseTable& leases,
                                       Frame& reply) {
    if (userdata.size() != kPortKeyLength) {
        return Outcome::Unexpected;
    }
    const policy::PortKey port =
        static_cast<policy::PortKey>(read32(userdata, 0)) << 32 | read32(userdata, 4);
    const auto vlan = static_cast<std::uint16_t>(value_of(packet_in, Reg::SourceVlan) & kVlanId);
    const auto config = leases.find(port, vlan);
    // The port's number may be another port's by now, or the port in another subnet.
    if (config == nullptr || config->ofport != value_of(packet_in, Reg::Source) ||
        config->vsid != value_of(packet_in, Reg::Vsid)) {
        return Outcome::Ignored;
    }
    const GuestReply answered = kind == PacketInKind::Dhcp ? answer_dhcp(packet_in.packet, *config)
                                : kind == PacketInKind::Dhcpv6
                                    ? answer_dhcpv6(packet_in.packet, *config)
                                    : answer_router_solicitation(packet_in.packet, *config);
    reply = answered.frame;
    return outcome_of(answered.verdict);
}

}  // namespace

Response respond(const ovs::PacketIn& packet_in, const policy::NeighbourTable& neighbours,
                 const policy::LeaseTable& leases) {
    Response response;
    response.port = value_of(packet_in, Reg::Source);
    if (response.port == 0 || packet_in.userdata.empty()) {
        return response;
    }
    const auto kind = static_cast<PacketInKind>(packet_in.userdata.front());
    const View userdata = View(packet_in.userdata).subspan(1);
    switch (kind) {
        case PacketInKind::ArpRequest:
            response.outcome = respond_to_arp(packet_in, userdata, neighbours, response.frame);
            break;
        case PacketInKind::NeighbourSolicitation:
            response.outcome = respond_to_nd(packet_in, userdata, neighbours, response.frame);
            break;
        case PacketInKind::IcmpError:
            if (const auto order = icmp_error_order(packet_in, userdata)) {
                response.outcome = respond_with_icmp_error(packet_in, *order, response.frame);
                response.reason = order->reason;
            }
            break;
        case PacketInKind::Dhcp:
        case PacketInKind::Dhcpv6:
        case PacketInKind::RouterSolicitation:
            response.outcome = respond_to_guest(packet_in, kind, userdata, leases, response.frame);
            break;
        case PacketInKind::Audit:
        case PacketInKind::Learn:
        case PacketInKind::Demand:
            break;  // For those who listen on connections of their own.
    }
    if (response.outcome != Outcome::Unexpected) {
        response.kind = kind;
    }
    const std::uint32_t vlan = value_of(packet_in, Reg::SourceVlan);
    if (response.frame.size() > 0 && vlan != 0) {
        response.frame.insert_vlan_tag(static_cast<std::uint16_t>(vlan & ~kVlanCfi));
    }
    return response;
}

Responder::Responder(std::string target, const policy::NeighbourTable& neighbours,
                     const policy::LeaseTable& leases, OnAnswer on_answer)
    : neighbours_(neighbours),
      leases_(leases),
      on_answer_(std::move(on_answer)),
      schedule_(leases),
      thread_(
          std::move(target), "responder", pipeline::kResponderControllerId,
          [this](ovs::OpenFlowConnection& connection, const Result<ovs::Message>& message) {
              handle(connection, message);
          },
          [this](ovs::OpenFlowConnection& connection) { advertise(connection); }) {}

void Responder::count(std::optional<PacketInKind> kind, Outcome outcome) {
    counts_[kind ? static_cast<std::size_t>(*kind) : 0][static_cast<std::size_t>(outcome)]
        .fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t Responder::counted(std::optional<PacketInKind> kind, Outcome outcome) const {
    return counts_[kind ? static_cast<std::size_t>(*kind) : 0][static_cast<std::size_t>(outcome)]
        .load(std::memory_order_relaxed);
}

QuestionCounters Responder::question_counters(PacketInKind kind) const {
    return {counted(kind, Outcome::Answered), counted(kind, Outcome::Missed),
            counted(kind, Outcome::OwnAddress), counted(kind, Outcome::Malformed),
            counted(kind, Outcome::Overflow)};
}

GuestCounters Responder::guest_counters(PacketInKind kind) const {
    return {counted(kind, Outcome::Answered), counted(kind, Outcome::Denied),
            counted(kind, Outcome::Declined), counted(kind, Outcome::Released),
            counted(kind, Outcome::Ignored),  counted(kind, Outcome::Malformed),
            counted(kind, Outcome::Overflow), counted(kind, Outcome::Unasked)};
}

Counters Responder::counters() const {
    const auto sent = [this](IcmpReason reason) {
        return errors_sent_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
    };
    constexpr auto kErrors = PacketInKind::IcmpError;
    return {question_counters(PacketInKind::ArpRequest),
            question_counters(PacketInKind::NeighbourSolicitation),
            {sent(IcmpReason::TtlExpired), sent(IcmpReason::NoRoute), sent(IcmpReason::HostUnknown),
             sent(IcmpReason::TooBig), counted(kErrors, Outcome::Suppressed),
             counted(kErrors, Outcome::Malformed), counted(kErrors, Outcome::Overflow)},
            counted(std::nullopt, Outcome::Unexpected),
            counted(std::nullopt, Outcome::Refused),
            guest_counters(PacketInKind::Dhcp),
            guest_counters(PacketInKind::Dhcpv6),
            guest_counters(PacketInKind::RouterSolicitation)};
}

void Responder::advertise(ovs::OpenFlowConnection& connection) {
    const std::int64_t now = ovs::now_msec();
    if (now >= next_advertisements_) {
        next_advertisements_ = now + kAdvertisementPauseMsec;
        for (const auto& due : schedule_.take(now, kAdvertisementsInOneGo)) {
            connection.send(ovs::encode_packet_out(due.frame, due.port));
            count(PacketInKind::RouterSolicitation, Outcome::Unasked);
        }
    }
    ovs::wake_at(next_advertisements_);
}

void Responder::handle(ovs::OpenFlowConnection& connection, const Result<ovs::Message>& message) {
    if (!message) {
        count(std::nullopt, Outcome::Unexpected);
    } else if (std::holds_alternative<ovs::ErrorReply>(*message)) {
        count(std::nullopt, Outcome::Refused);
    } else if (const auto* packet_in = std::get_if<ovs::PacketIn>(&*message)) {
        answer(connection, *packet_in);
    }
}

void Responder::answer(ovs::OpenFlowConnection& connection, const ovs::PacketIn& packet_in) {
    const Response response = respond(packet_in, neighbours_, leases_);
    if (response.frame.size() == 0) {
        count(response.kind, response.outcome);
        return;
    }
    if (connection.queued() >= kSendQueueLimit) {
        count(response.kind, Outcome::Overflow);
        return;
    }
    connection.send(ovs::encode_packet_out(response.frame, response.port));
    count(response.kind, response.outcome);
    if (on_answer_ && (response.kind == PacketInKind::ArpRequest ||
                       response.kind == PacketInKind::NeighbourSolicitation)) {
        on_answer_(value_of(packet_in, Reg::Vsid), response.port,
                   read_mac(response.frame, kEthSource));  // Whose answer it is.
    }
    if (response.kind == PacketInKind::IcmpError) {
        errors_sent_[static_cast<std::size_t>(response.reason)].fetch_add(
            1, std::memory_order_relaxed);
    }
}

}  // namespace hnv::responder
