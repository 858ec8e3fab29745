// The responder: packet-ins of the local switch to replies, with a thread and an OpenFlow
// connection of its own, so that a guest's ARP never waits for the programming of the switch.
//
//   switch ─ packet-in ─▶ respond() ◀─ NeighbourTable (shared, read here)
//      ▲                      │
//      └────── packet-out ────┘      out of the port whose guest asked, and of no other
//
// Bounds: those of ovs::PacketInThread; a reply that would make the send queue grow beyond
// kSendQueueLimit bytes is dropped and counted. What a guest can send is limited before, by its
// port's meter in the switch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ovs-integration/openflow.h"
#include "ovs-integration/openflow_connection.h"
#include "ovs-integration/packet_in_thread.h"
#include "pipeline/layout.h"
#include "policy/leases.h"
#include "policy/neighbours.h"
#include "responder/advertisement_schedule.h"
#include "responder/frame.h"

namespace hnv::responder {

inline constexpr std::size_t kSendQueueLimit = std::size_t{4} << 20;

// What became of a packet-in or an error from the switch; other messages (echo replies, port
// status) are passed over.
enum class Outcome : std::uint8_t {
    Answered,
    Missed,      // Nobody in the subnet has the address: silence.
    OwnAddress,  // The sender's own address: silence.
    Malformed,   // Not a packet that can be answered.
    Suppressed,  // A packet about which no ICMP error may be sent.
    Unexpected,  // Not for the responder, or not understood: a fault of ours or of the switch.
    Overflow,    // An answer dropped since the switch does not take them fast enough.
    Refused,     // The switch answered with an error, to a reply for a port that is gone, say.
    // Of a guest's configuration, as GuestVerdict has it.
    Denied,
    Declined,
    Released,
    Ignored,
    Unasked,  // An advertisement that nobody solicited.
};
inline constexpr std::size_t kOutcomeCount = static_cast<std::size_t>(Outcome::Unasked) + 1;

// Of ARP requests, or of neighbour solicitations.
struct QuestionCounters {
    std::uint64_t answered = 0;
    std::uint64_t missed = 0;
    std::uint64_t own_address = 0;
    std::uint64_t malformed = 0;
    std::uint64_t overflow = 0;
};

// Of packets that the router can't send on.
struct IcmpErrorCounters {
    // Sent, by reason.
    std::uint64_t ttl_expired = 0;
    std::uint64_t no_route = 0;
    std::uint64_t host_unknown = 0;
    std::uint64_t too_big = 0;
    // Not sent.
    std::uint64_t suppressed = 0;
    std::uint64_t malformed = 0;
    std::uint64_t overflow = 0;
};

// Of DHCP, DHCPv6 or router solicitations.
struct GuestCounters {
    std::uint64_t answered = 0;
    std::uint64_t denied = 0;
    std::uint64_t declined = 0;
    std::uint64_t released = 0;
    std::uint64_t ignored = 0;
    std::uint64_t malformed = 0;
    std::uint64_t overflow = 0;
    std::uint64_t unasked = 0;
};

struct Counters {
    QuestionCounters arp;
    QuestionCounters nd;
    IcmpErrorCounters icmp_errors;
    std::uint64_t unexpected = 0;
    std::uint64_t refused = 0;
    GuestCounters dhcp{};
    GuestCounters dhcpv6{};
    GuestCounters router_advertisements{};
};

struct Response {
    Outcome outcome = Outcome::Unexpected;
    std::optional<pipeline::PacketInKind> kind;                // None with Outcome::Unexpected.
    pipeline::IcmpReason reason = pipeline::IcmpReason::None;  // Of an IcmpError.
    // The frame, if there is one to be sent, and the OpenFlow port that it is for.
    std::uint32_t port = 0;
    Frame frame;
};

// Pure but for the look-ups. The packet-in's userdata says what is asked (pipeline::PacketInKind),
// its registers in which virtual subnet, of which port and with which VLAN tag (pipeline::Reg). The
// packet itself has no tag.
[[nodiscard]] Response respond(const ovs::PacketIn& packet_in,
                               const policy::NeighbourTable& neighbours,
                               const policy::LeaseTable& leases);

class Responder {
  public:
    // In the responder's thread: a guest of the virtual subnet, at the OpenFlow port, has been told
    // that a neighbour has this MAC.
    using OnAnswer =
        std::function<void(std::uint32_t vsid, std::uint32_t ofport, const MacAddress& mac)>;

    // `target`: the bridge's management socket, "unix:<ovs-run-dir>/<bridge>.mgmt"; it need not
    // exist yet. The tables outlive the responder.
    Responder(std::string target, const policy::NeighbourTable& neighbours,
              const policy::LeaseTable& leases, OnAnswer on_answer = {});

    // As those of ovs::PacketInThread; the destructor stops.
    void start() { thread_.start(); }
    void stop() { thread_.stop(); }

    // Any thread. The counters are since construction, each exact, not all of one instant.
    [[nodiscard]] Counters counters() const;
    // Whether packet-ins have been asked for on a connection that lives.
    [[nodiscard]] bool connected() const { return thread_.connected(); }

  private:
    static constexpr std::size_t kKindCount =
        static_cast<std::size_t>(pipeline::PacketInKind::RouterSolicitation) + 1;
    static constexpr std::size_t kReasonCount =
        static_cast<std::size_t>(pipeline::IcmpReason::TooBig) + 1;
    using OutcomeCounts = std::array<std::atomic<std::uint64_t>, kOutcomeCount>;
    using ReasonCounts = std::array<std::atomic<std::uint64_t>, kReasonCount>;

    void handle(ovs::OpenFlowConnection& connection, const Result<ovs::Message>& message);
    void answer(ovs::OpenFlowConnection& connection, const ovs::PacketIn& packet_in);
    void advertise(ovs::OpenFlowConnection& connection);
    void count(std::optional<pipeline::PacketInKind> kind, Outcome outcome);
    [[nodiscard]] std::uint64_t counted(std::optional<pipeline::PacketInKind> kind,
                                        Outcome outcome) const;
    [[nodiscard]] QuestionCounters question_counters(pipeline::PacketInKind kind) const;
    [[nodiscard]] GuestCounters guest_counters(pipeline::PacketInKind kind) const;

    const policy::NeighbourTable& neighbours_;
    const policy::LeaseTable& leases_;
    const OnAnswer on_answer_;
    // The responder's thread's.
    AdvertisementSchedule schedule_;
    std::int64_t next_advertisements_ = 0;
    // By kind (the first for those of none) and outcome; the errors that were sent by reason.
    // Written by the responder's thread only.
    std::array<OutcomeCounts, kKindCount> counts_{};
    ReasonCounts errors_sent_{};
    ovs::PacketInThread thread_;  // Last: it uses the others.
};

}  // namespace hnv::responder
