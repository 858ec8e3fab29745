// Tables Dnat, Snat and Snatted: customer addresses inside, external addresses beyond a gateway
// port. Its ACL sees customer addresses in both directions.
//
//   ACL ─▶ Snat ──ct(nat)──▶ Snatted ─┬─ of a connection in force ──────────────▶ QosIn
//                                     └─ new: ct(commit,nat(src)), Snatted again ──▲
//   port ─▶ Dnat ──ct(nat)──▶ Dnat ─┬─ of a connection in force ───────────────▶ ACL
//                                   └─ new, to a pair: ct(commit,nat(dst)), Dnat again ──▲
//
// A connection keeps the translation that it was made with. Which one that is, is kept with it
// (ct_mark): one that is no longer in force, or another port's in the same zone, is dropped. A
// packet for which no external address or port was left comes back from the commit as it was: that
// is the count of what was exhausted. (Told by its address and not by its state, so that
// ofproto/trace, which translates but knows no states, shows what becomes of a first packet.)
//
// Drops, each a flow of its own for each gateway port: Snatted at priority kNormal, exhausted;
// Snatted at kLow, of no connection that is in force; Dnat at kLow, from outside and asked for by
// nobody. hnvctl counts them.
//
// A port without a translation has no flow here and passes by the miss flows.
#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"
#include "pipeline/nat.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

using policy::Translation;

namespace {

// How far a packet has come; a register that means something else between Balance and Select only.
constexpr Reg kStep = Reg::Backend;
constexpr std::uint32_t kTracked = 1;        // ct() has looked for its connection.
constexpr std::uint32_t kCommitted = 1 | 2;  // ct() was to make one.

constexpr std::uint16_t kKnown = priority::kGateway;  // Above every prefix.

// What a subnet keeps to itself (RFC 1112 section 4, RFC 4291 section 2.7).
constexpr std::array kGroups{"224.0.0.0/4", "255.255.255.255/32", "ff00::/8"};

constexpr std::uint32_t bits(ovs::CtState state) { return static_cast<std::uint32_t>(state); }

[[nodiscard]] IpPrefix whole(const IpAddress& address) {
    return {address, address.is_v4() ? 32U : 128U};
}

// The longest prefix wins; a pair over a pool of just its address.
[[nodiscard]] std::uint16_t priority_of(const Translation& translation) {
    return static_cast<std::uint16_t>(priority::kRouteBase +
                                      translation.internal.length * priority::kRouteStep +
                                      (translation.is_static ? 1 : 0));
}

class PortNat {
  public:
    PortNat(const policy::PortView& port, const policy::Attachment& attachment,
            std::uint64_t cookie, FlowSet& out)
        : port_(port),
          attachment_(attachment),
          cookie_(cookie),
          out_(out),
          zone_(nat_zone(port.ofport, attachment.vlan)) {}

    // Once for the port.
    void frame() {
        for (const char* text : kGroups) {
            untouched(IpPrefix::parse(text).value());
        }
        for (const IpAddress& ca : attachment_.cas) {
            untouched(whole(ca));  // Somebody of the network speaks with the gateway itself.
        }
        for (const NatDrops& drops = drop_flows();
             const ovs::Flow* flow : {&drops.exhausted, &drops.broken, &drops.unsolicited}) {
            out_.flows.push_back(*flow);
        }
    }

    [[nodiscard]] NatDrops drop_flows() const {
        StageFlow exhausted = towards(Table::Snatted, priority::kNormal);
        exhausted.match(kStep, kCommitted);
        StageFlow unsolicited = from(Table::Dnat, priority::kLow);
        unsolicited->match_reg(static_cast<unsigned>(kStep), kTracked, kTracked);
        return {port_.name,
                port_.ofport,
                attachment_.vlan,
                zone_,
                exhausted->build(cookie_),
                unsolicited->build(cookie_),
                towards(Table::Snatted, priority::kLow)->build(cookie_)};
    }

    void track(const IpPrefix& internal) {
        StageFlow flow = towards(Table::Snat, priority::kNormal);
        flow->match_ip_src(internal);
        flow.set(kStep, kTracked);
        look_up(flow, Table::Snatted);
    }

    void translated(const IpPrefix& external) {
        StageFlow flow = towards(Table::Snatted, priority::kHigh);
        flow.match(kStep, kCommitted);
        flow->match_ip_src(external);
        flow.go(Table::QosIn, out_, cookie_);
    }

    void track_back(const IpPrefix& external) {
        StageFlow flow = from(Table::Dnat, priority::kNormal);
        flow.match(kStep, 0);
        flow->match_ip_dst(external);
        flow.set(kStep, kTracked);
        look_up(flow, Table::Dnat);
    }

    void translate(const Translation& translation) {
        const std::uint32_t mark = mark_of(translation);
        out_.zones.push_back({zone_, mark});
        known(towards(Table::Snatted, kKnown), mark, Table::QosIn);
        known(from(Table::Dnat, kKnown), mark, Table::FirewallOutTrack);

        StageFlow out = towards(Table::Snatted, priority_of(translation));
        fresh(out)->match_ip_src(translation.internal);
        ovs::NatAction source{ovs::NatAction::End::Source, translation.first, translation.last};
        if (translation.ports) {
            source.ports = {translation.ports->first, translation.ports->last};
        }
        commit(out, source, mark, Table::Snatted);
        if (translation.is_static) {
            StageFlow in = from(Table::Dnat, priority_of(translation));
            fresh(in)->match_ip_dst(whole(translation.first));
            const IpAddress& ca = translation.internal.address;
            StageFlow done = from(Table::Dnat, priority::kHigh);
            done.match(kStep, kCommitted);
            done->match_ip_dst(translation.internal);
            done.go(Table::FirewallOutTrack, out_, cookie_);
            commit(in, {ovs::NatAction::End::Destination, ca, ca}, mark, Table::Dnat);
        }
    }

  private:
    StageFlow towards(Table table, std::uint16_t flow_priority) const {
        StageFlow flow(table, flow_priority);
        flow.match(Reg::Destination, port_.ofport)
            .match_vlan_of(Reg::DestinationVlan, port_, attachment_);
        return flow;
    }

    StageFlow from(Table table, std::uint16_t flow_priority) const {
        StageFlow flow(table, flow_priority);
        flow.match(Reg::Source, port_.ofport).match_vlan_of(Reg::SourceVlan, port_, attachment_);
        return flow;
    }

    void untouched(const IpPrefix& destination) {
        StageFlow flow = towards(Table::Snat, priority::kHigh);
        flow->match_ip_dst(destination);
        flow.go(Table::QosIn, out_, cookie_);
    }

    void look_up(StageFlow& flow, Table then) {
        flow->ct({.zone = zone_,
                  .next_table = static_cast<std::uint8_t>(then),
                  .nat = ovs::NatAction{}});
        flow.end(out_, cookie_);
    }

    // A packet, or an ICMP error about one, of a connection of the translation.
    void known(StageFlow flow, std::uint32_t mark, Table next) {
        flow.match(kStep, kTracked);
        flow->match_ct_state(bits(ovs::CtState::Tracked),
                             bits(ovs::CtState::Tracked) | bits(ovs::CtState::Invalid))
            .match_ct_mark(mark);
        flow.go(next, out_, cookie_);
    }

    static StageFlow& fresh(StageFlow& flow) {
        constexpr std::uint32_t kNew = bits(ovs::CtState::Tracked) | bits(ovs::CtState::New);
        flow.match(kStep, kTracked);
        flow->match_ct_state(kNew, kNew).match_ct_mark(0);
        return flow;
    }

    void commit(StageFlow& flow, const ovs::NatAction& nat, std::uint32_t mark, Table then) {
        flow.set(kStep, kCommitted);
        flow->ct({.zone = zone_,
                  .commit = true,
                  .next_table = static_cast<std::uint8_t>(then),
                  .mark = mark,
                  .nat = nat});
        flow.end(out_, cookie_);
    }

    // Never 0, which is the mark of what has no connection.
    [[nodiscard]] std::uint32_t mark_of(const Translation& translation) const {
        std::string text = port_.name + " " + translation.internal.to_string() + " " +
                           translation.first.to_string() + " " + translation.last.to_string();
        if (translation.ports) {
            text += " " + std::to_string(translation.ports->first) + "-" +
                    std::to_string(translation.ports->last);
        }
        const auto mark =
            static_cast<std::uint32_t>(tell_of(text + (translation.is_static ? " pair" : "")));
        return std::max(mark ^ attachment_.vsid, 1U);
    }

    const policy::PortView& port_;
    const policy::Attachment& attachment_;
    std::uint64_t cookie_;
    FlowSet& out_;
    std::uint16_t zone_;
};

template <typename T>
void sort_unique(std::vector<T>& list) {
    std::ranges::sort(list);
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

std::uint16_t nat_zone(std::uint32_t ofport, std::uint16_t vlan) {
    if (vlan == 0) {
        return static_cast<std::uint16_t>(kNatZones | (ofport & 0x1fffU));
    }
    return static_cast<std::uint16_t>(kNatZones | ((ofport << 12 | vlan) * 0x9e3779b1U) >> 19);
}

std::vector<IpPrefix> external_prefixes(const policy::Attachment& attachment) {
    std::vector<IpPrefix> prefixes;
    for (const Translation& each : attachment.translations) {
        prefixes.insert(prefixes.end(), each.external.begin(), each.external.end());
    }
    sort_unique(prefixes);
    return prefixes;
}

void nat_port(const policy::PortView& port, std::uint64_t cookie, FlowSet& out) {
    for (const policy::Attachment& attachment : port.attachments) {
        if (attachment.translations.empty()) {
            continue;
        }
        PortNat nat(port, attachment, cookie, out);
        nat.frame();
        std::vector<IpPrefix> internal;
        for (const Translation& translation : attachment.translations) {
            internal.push_back(translation.internal);
            nat.translate(translation);
        }
        sort_unique(internal);
        for (const IpPrefix& prefix : internal) {
            nat.track(prefix);
        }
        for (const IpPrefix& prefix : external_prefixes(attachment)) {
            nat.translated(prefix);
            nat.track_back(prefix);
        }
    }
}

std::vector<NatDrops> nat_drops(const policy::PortView& port) {
    std::vector<NatDrops> drops;
    FlowSet unused;
    for (const policy::Attachment& attachment : port.attachments) {
        if (port.active && !attachment.translations.empty()) {
            drops.push_back(PortNat(port, attachment, 0, unused).drop_flows());
        }
    }
    return drops;
}

void nat_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Dnat, priority::kMiss).go(Table::FirewallOutTrack, out, cookie);
    StageFlow(Table::Snat, priority::kMiss).go(Table::QosIn, out, cookie);
    StageFlow(Table::Snatted, priority::kMiss).go(Table::QosIn, out, cookie);
}

}  // namespace hnv::pipeline
