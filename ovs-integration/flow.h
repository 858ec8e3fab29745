// OpenFlow flows as values, and typed builders for them.
//
// A Flow is what OpenFlow 1.4 says it is (ONF TS-012 section 7.3.4.2): a table, a priority, a match
// and instructions, the last two in their wire encoding. The encoding is made by libopenvswitch
// alone, for flows that we build and for flows that a switch reports, so equal bytes are equal
// flows and a flow can be compared without being decoded.
//
// Builders take values in host byte order and do not check prerequisites beyond what they set
// themselves (ip_proto() needs eth_type() first, as ovs-ofctl does).
//
// Thread: values; builders are used by one thread each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ovs-integration/address.h"

namespace hnv::ovs {

// Wire bytes. A string because it hashes and compares.
using Bytes = std::string;

struct Flow {
    std::uint8_t table = 0;
    std::uint16_t priority = 0;
    std::uint64_t cookie = 0;
    Bytes match;         // OXM TLVs, without the ofp_match header and its padding.
    Bytes instructions;  // OpenFlow 1.4 instructions.

    // What identifies the flow in a switch: table, priority and match.
    [[nodiscard]] Bytes key() const;
    bool operator==(const Flow&) const = default;
};

// "table=3, priority=100,reg0=0x1389,dl_dst=... actions=...": ovs-ofctl's own syntax (and printer);
// the cookie is left out.
[[nodiscard]] std::string to_text(const Flow& flow);

// Connection tracking state bits, as ovs-fields(7) names them.
enum class CtState : std::uint32_t {
    New = 0x01,
    Established = 0x02,
    Related = 0x04,
    Reply = 0x08,
    Invalid = 0x10,
    Tracked = 0x20,
    SourceTranslated = 0x40,       // snat
    DestinationTranslated = 0x80,  // dnat
};

// ct()'s nat(): whose address a new connection's packets get, and which. Those of a connection that
// is known are translated as it was when it was made, whatever the rest says.
struct NatAction {
    enum class End : std::uint8_t { AsKnown, Source, Destination };
    struct Ports {
        std::uint16_t first = 0;
        std::uint16_t last = 0;
    };
    End end = End::AsKnown;  // AsKnown: only connections that are known; what follows is not set.
    IpAddress first{};       // One of first..last, both of one family.
    IpAddress last{};
    std::optional<Ports> ports{};  // Of TCP and UDP; without, the packet's own if it is free.
};

// The ct() action.
struct CtAction {
    std::uint16_t zone = 0;
    bool commit = false;
    std::optional<std::uint8_t> next_table{};  // Recirculates there with ct_state set.
    std::optional<std::uint32_t> mark{};       // With commit: the connection's ct_mark.
    std::optional<std::uint64_t> label{};      // With commit: its ct_label's low 64 bits.
    std::optional<NatAction> nat{};
};

// The controller() action. Every packet-in is metered: `meter` has no default on purpose.
struct ControllerAction {
    std::uint16_t controller_id;
    std::uint32_t meter;
    std::span<const std::uint8_t> userdata;
    std::uint16_t max_length = UINT16_MAX;  // Of the packet, so many bytes at most.
    // Stops here and keeps the packet in the packet-in: what follows happens when the controller
    // sends PacketIn::resume, or never.
    bool pause = false;
};

// What of a fragmented packet a match can see: tp_src and tp_dst are 0 in every fragment; ct_tp_src
// and ct_tp_dst are right in the first one, and 0 in the later ones.
enum class Fragment : std::uint8_t { No, First, Later, NotLater };

class FlowBuilder {
  public:
    FlowBuilder(std::uint8_t table, std::uint16_t priority);
    ~FlowBuilder();
    FlowBuilder(FlowBuilder&&) noexcept;
    FlowBuilder& operator=(FlowBuilder&&) noexcept;

    // --- match ---
    FlowBuilder& match_in_port(std::uint32_t ofport);
    FlowBuilder& match_reg(unsigned reg, std::uint32_t value, std::uint32_t mask = 0xffffffffU);
    FlowBuilder& match_metadata(std::uint64_t value);
    FlowBuilder& match_tun_id(std::uint64_t value, std::uint64_t mask = ~0ULL);
    FlowBuilder& match_tun_src(const IpAddress& address);
    FlowBuilder& match_tun_dst(const IpAddress& address);
    FlowBuilder& match_eth_src(const MacAddress& mac);
    FlowBuilder& match_eth_src_masked(const MacAddress& mac, const MacAddress& mask);
    FlowBuilder& match_eth_dst(const MacAddress& mac);
    FlowBuilder& match_eth_dst_masked(const MacAddress& mac, const MacAddress& mask);
    FlowBuilder& match_untagged();
    FlowBuilder& match_vlan(std::uint16_t vlan);  // Tagged with it, whatever the priority.
    FlowBuilder& match_eth_type(std::uint16_t type);
    FlowBuilder& match_ip_proto(std::uint8_t protocol);
    // Of the family of the prefix; sets eth_type too.
    FlowBuilder& match_ip_src(const IpPrefix& prefix);
    FlowBuilder& match_ip_dst(const IpPrefix& prefix);
    // Any bits of an address; `mask` is of its family.
    FlowBuilder& match_ip_src_masked(const IpAddress& address, const IpAddress& mask);
    FlowBuilder& match_ip_dst_masked(const IpAddress& address, const IpAddress& mask);
    FlowBuilder& match_tp_src(std::uint16_t port, std::uint16_t mask = 0xffffU);
    FlowBuilder& match_tp_dst(std::uint16_t port, std::uint16_t mask = 0xffffU);
    FlowBuilder& match_icmp_type(std::uint8_t type);  // Of either ICMP.
    FlowBuilder& match_icmp_code(std::uint8_t code);  // Of either ICMP.
    FlowBuilder& match_tcp_flags(std::uint16_t value, std::uint16_t mask);
    FlowBuilder& match_nd_target(const IpPrefix& target);  // Of IPv6; needs match_icmp_type().
    FlowBuilder& match_ttl(std::uint8_t ttl);
    FlowBuilder& match_fragment(Fragment fragment);
    FlowBuilder& match_arp_op(std::uint16_t operation);
    FlowBuilder& match_arp_spa(const IpAddress& address);
    FlowBuilder& match_arp_tpa(const IpPrefix& target);
    FlowBuilder& match_arp_sha(const MacAddress& mac);
    // `set` of the bits in `mask`; a bit of `mask` not in `set` must be clear.
    FlowBuilder& match_ct_state(std::uint32_t set, std::uint32_t mask);
    FlowBuilder& match_ct_mark(std::uint32_t mark);
    FlowBuilder& match_ct_zone(std::uint16_t zone);  // Of the last ct(); needs CtState::Tracked.
    FlowBuilder& match_conj_id(std::uint32_t id);    // All clauses of conjunction() matched.
    FlowBuilder& match_ct_label(std::uint64_t low);  // The low 64 bits; the others are zero.
    // The connection's first packet (ct_nw_src and so on); needs match_eth_type(), and a match on
    // CtState::Tracked with one that only a valid connection has (New, Established, Reply, …).
    FlowBuilder& match_ct_ip_proto(std::uint8_t protocol);
    FlowBuilder& match_ct_ip_src(const IpPrefix& prefix);
    FlowBuilder& match_ct_ip_dst(const IpPrefix& prefix);
    FlowBuilder& match_ct_tp_src(std::uint16_t port, std::uint16_t mask = 0xffffU);
    FlowBuilder& match_ct_tp_dst(std::uint16_t port, std::uint16_t mask = 0xffffU);

    // --- actions, in the order in which they are to run; goto_table() and meter() are
    // instructions: goto last, meter first ---
    FlowBuilder& set_reg(unsigned reg, std::uint32_t value);
    FlowBuilder& set_metadata(std::uint64_t value);
    FlowBuilder& set_tun_dst(const IpAddress& address);
    FlowBuilder& clear_tun_id();
    FlowBuilder& set_eth_src(const MacAddress& mac);
    FlowBuilder& set_eth_dst(const MacAddress& mac);
    // The register's low 24 bits to bit `offset` and up of tun_id, whose other bits are kept.
    FlowBuilder& move_reg_to_tun_id(unsigned reg, unsigned offset);
    // Precondition: the TTL is above 1 (else Open vSwitch would send the packet to a controller,
    // past every meter).
    FlowBuilder& dec_ttl();
    FlowBuilder& set_ttl(std::uint8_t ttl);
    FlowBuilder& set_ip_src(const IpAddress& address);
    // Of the ICMP that the match's eth_type() calls for.
    FlowBuilder& set_icmp_type(std::uint8_t type);
    FlowBuilder& move_eth_src_to_dst();
    FlowBuilder& move_ip_src_to_dst();  // Of the match's eth_type().
    // A register's low 16 bits as the TCI of the frame: with the CFI bit the frame gets (or has its
    // first tag changed to) a tag, 0 takes it off.
    FlowBuilder& move_reg_to_vlan_tci(unsigned reg);
    FlowBuilder& strip_vlan();      // Of a frame that the match says is tagged.
    FlowBuilder& clear_vlan_tci();  // Of any frame: what was tagged is not any more.
    FlowBuilder& move_reg_to_pkt_mark(unsigned reg);
    // Open vSwitch forgets where the packet came in, and so may send it back there.
    FlowBuilder& clear_in_port();
    // Sets the bit if the frame, from its Ethernet header on, is longer than `bytes`.
    FlowBuilder& check_longer(std::uint16_t bytes, unsigned reg, unsigned bit);
    // A number below `count` into the register: by the packet's 5-tuple, and so that few packets
    // change theirs when `count` does (highest random weight). Both directions of a connection get
    // the same.
    FlowBuilder& choose(unsigned reg, std::uint16_t count);
    FlowBuilder& output_in_port();
    FlowBuilder& output(std::uint32_t ofport);
    FlowBuilder& output_reg(unsigned reg);
    FlowBuilder& resubmit(std::uint8_t table);
    FlowBuilder& ct(const CtAction& action);
    FlowBuilder& controller(const ControllerAction& action);
    // What `actions` adds to this builder is done to a copy of the packet; the packet itself, its
    // registers and its tunnel fields go on unchanged. Precondition: no goto_table() in it.
    FlowBuilder& clone(const std::function<void()>& actions);
    // A packet that the meter drops is gone for all that the switch had still to do with it: later
    // copies of a broadcast too, unless a ct() that recirculates is between.
    FlowBuilder& meter(std::uint32_t id);
    FlowBuilder& goto_table(std::uint8_t table);
    // The match is one way to fulfil clause `clause` (from 1) of `clauses` of the conjunction: a
    // packet that fulfils them all, in flows of one table and one priority, has the id in
    // match_conj_id(). No other action goes with it.
    FlowBuilder& conjunction(std::uint32_t id, std::uint8_t clause, std::uint8_t clauses);

    // An empty action list drops. The builder is spent afterwards.
    [[nodiscard]] Flow build(std::uint64_t cookie = 0);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
