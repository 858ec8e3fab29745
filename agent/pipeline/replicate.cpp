// Table::Replicate: broadcast and multicast within a virtual subnet, by unicast copies.
//
// One copy to each local port and one to each provider address of the subnet (or of the group's own
// set, or to each mapping); what came by a tunnel goes to local ports only. A long list is cut into
// parts of one flow each, since a flow has room for 64 KiB of actions; Reg::Part says which part is
// next.
#include <algorithm>
#include <span>

#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

constexpr std::size_t kCopiesInPart = 256;
// Open vSwitch follows 4,096 resubmits for one packet; a copy takes up to ten.
constexpr std::size_t kMaxLocalCopies = 256;
constexpr std::size_t kMaxRemoteCopies = 3072;
constexpr MacAddress kGroupBit{{0x01, 0, 0, 0, 0, 0}};

// To all, or to those that `takes` says.
template <typename Takes>
void copy_to_ports(StageFlow& flow, const std::vector<policy::SubnetView::LocalPort>& ports,
                   const Takes& takes) {
    std::uint16_t vlan = 0;
    std::size_t copies = 0;
    for (const auto& port : ports) {
        if (!takes(port) || copies++ >= kMaxLocalCopies) {
            continue;
        }
        if (port.vlan != vlan) {
            flow.set(Reg::DestinationVlan, tci_of(port.vlan));
            vlan = port.vlan;
        }
        flow.set(Reg::Destination, port.ofport).resubmit(Table::FirewallInTrack);
    }
}

// The flows of one list of copies: of all groups, or of one.
class List {
  public:
    List(const policy::SubnetView& subnet, const std::optional<MacAddress>& group,
         std::uint64_t cookie, FlowSet& out)
        : subnet_(subnet), group_(group), cookie_(cookie), out_(out), flow_(part()) {
        copy_to_ports(flow_, subnet.local_ports, [](const auto&) { return true; });
    }

    // `mac`: the inner destination of this copy, if not the group's.
    void copy_to(const policy::LocatorSpec& locator, const std::optional<MacAddress>& mac) {
        if (copies_ != 0 && copies_ % kCopiesInPart == 0) {
            flow_.set(Reg::Part, ++part_).resubmit(Table::Replicate);
            flow_.end(out_, cookie_);
            flow_ = part();
        }
        const bool v4 = locator.pa.is_v4();
        if (copies_ != 0 && last_v4_ != v4) {
            // The destination of the copy before would stay in force.
            flow_->set_tun_dst(v4 ? IpAddress{} : IpAddress::from_v4(0));
        }
        last_v4_ = v4;
        ++copies_;
        if (mac) {
            flow_->set_eth_dst(*mac);
        }
        towards(locator, flow_);
        // Past the measuring of Table::Tunnel: nobody is told that a broadcast was too long.
        flow_.resubmit(Table::Encapsulate);
    }

    void copy_to_vlan(const policy::SubnetView::Vlan& vlan) {
        flow_.set(Reg::Destination, vlan.ofport)
            .set(Reg::DestinationVlan, tci_of(vlan.vlan))
            .resubmit(Table::Deliver);
    }

    void end() { flow_.end(out_, cookie_); }

    // What came by a tunnel goes to local ports only. When copies come to several of this host's
    // PAs each port has the one for the PA of its mapping; one whose mapping is elsewhere, the
    // first.
    void from_tunnel(const std::vector<IpAddress>& arrivals) {
        if (arrivals.size() < 2) {
            StageFlow flow = part(kTunnelCopies);
            copy_to_ports(flow, subnet_.local_ports, [](const auto&) { return true; });
            return flow.end(out_, cookie_);
        }
        for (const IpAddress& pa : arrivals) {
            StageFlow flow = part(kTunnelCopies);
            flow->match_tun_dst(pa);
            copy_to_ports(flow, subnet_.local_ports, [&](const auto& port) {
                const bool elsewhere = std::ranges::find(arrivals, port.pa) == arrivals.end();
                return elsewhere ? pa == arrivals.front() : port.pa == pa;
            });
            flow.end(out_, cookie_);
        }
    }

  private:
    [[nodiscard]] StageFlow part() const { return part(part_); }
    [[nodiscard]] StageFlow part(std::uint32_t part) const {
        StageFlow flow(Table::Replicate, group_ ? priority::kHigh : priority::kNormal);
        flow.match(Reg::Vsid, subnet_.vsid).match(Reg::Part, part);
        if (group_) {
            flow->match_eth_dst(*group_);
        } else if (part_ == 0 && subnet_.flood != policy::Flood::Everywhere) {
            // Of unknown unicast too, if that has the same destinations. (The copies of the part
            // before may have changed the address.)
            flow->match_eth_dst_masked(kGroupBit, kGroupBit);
        }
        return flow;
    }

    const policy::SubnetView& subnet_;
    const std::optional<MacAddress> group_;
    std::uint64_t cookie_;
    FlowSet& out_;
    std::uint32_t part_ = 0;
    std::size_t copies_ = 0;
    bool last_v4_ = false;
    StageFlow flow_;
};

[[nodiscard]] std::string shortfall(const policy::SubnetView& subnet, std::size_t locals,
                                    std::size_t remotes, std::size_t wanted) {
    return "broadcast of VSID " + std::to_string(subnet.vsid) + " reaches only " +
           std::to_string(locals) + " of its " + std::to_string(subnet.local_ports.size()) +
           " ports here and " + std::to_string(remotes) + " of its " + std::to_string(wanted) +
           " destinations elsewhere";
}

}  // namespace

void replicate_subnet(const policy::SubnetView& subnet, std::uint64_t cookie, FlowSet& out) {
    const std::size_t locals = std::min(subnet.local_ports.size(), kMaxLocalCopies);
    const auto limited = [&](std::size_t wanted) {
        const std::size_t remotes = std::min(wanted, kMaxRemoteCopies);
        if (locals < subnet.local_ports.size() || remotes < wanted) {
            out.shortfall = shortfall(subnet, locals, remotes, wanted);
        }
        return remotes;
    };
    List all(subnet, std::nullopt, cookie, out);
    all.from_tunnel(subnet.arrivals);
    for (const auto& peer : std::span(subnet.peers).first(limited(subnet.peers.size()))) {
        all.copy_to(peer, std::nullopt);
    }
    for (const auto& member : std::span(subnet.members).first(limited(subnet.members.size()))) {
        all.copy_to(member.locator, member.mac);
    }
    if (subnet.vlan && subnet.vlan->ofport != 0) {
        all.copy_to_vlan(*subnet.vlan);
    }
    all.end();
    if (!subnet.local_ports.empty()) {
        StageFlow here(Table::Replicate, priority::kNormal);
        here.match(Reg::Vsid, subnet.vsid).match(Reg::Part, kLocalCopies);
        copy_to_ports(here, subnet.local_ports, [](const auto&) { return true; });
        here.end(out, cookie);
    }
    for (const policy::SubnetView::Group& group : subnet.groups) {
        List list(subnet, group.mac, cookie, out);
        list.from_tunnel(group.arrivals);
        for (const auto& peer : std::span(group.peers).first(limited(group.peers.size()))) {
            list.copy_to(peer, std::nullopt);
        }
        list.end();
    }
}

void replicate_host(std::uint64_t cookie, FlowSet& out) {
    StageFlow(Table::Replicate, priority::kMiss).drop(out, cookie);
}

}  // namespace hnv::pipeline
