// Tables Balance, Affinity, Select and Returning: an address that several backends share.
//
//   Router, Resolve ─▶ Balance ─▶ Affinity ─┬─────────────▶ Returning
//                                           └▶ Select ──────▲
//
// The sending host chooses. Which backend a connection has is kept with the connection (ct_label:
// the backend's MAC), so that it stays there when others come and go; a connection whose backend is
// gone, like a new one, gets one by the hash of its 5-tuple. Connections live in a zone of the
// address's own; what comes back passes it too, or else conntrack would take the connection for one
// that was never answered.
#include "ovs-integration/wire.h"
#include "pipeline/stages.h"

namespace hnv::pipeline {

namespace {

// From the upper half of the zones that Open vSwitch's own port numbers do not reach. Should two
// addresses meet in one, a label that is none of the address's backends counts as none.
[[nodiscard]] std::uint16_t zone_of(const policy::VipView& vip) {
    const std::uint64_t hash = tell_of(vip.address.to_string()) ^ vip.vsid * 0x9e3779b1ULL;
    return static_cast<std::uint16_t>(kVipZones | ((hash ^ hash >> 32) & 0x1fffU));
}

class Vip {
  public:
    Vip(const policy::VipView& vip, std::uint64_t cookie, FlowSet& out)
        : vip_(vip),
          cookie_(cookie),
          out_(out),
          zone_(zone_of(vip)),
          prefix_{vip.address, vip.address.is_v4() ? 32U : 128U} {}

    void enter(Table table) {
        StageFlow flow = towards(table, priority::kHigh);
        flow.go(Table::Balance, out_, cookie_);
    }

    void track() {
        StageFlow flow = towards(Table::Balance, priority::kNormal);
        flow->ct({zone_, false, static_cast<std::uint8_t>(Table::Affinity)});
        flow.end(out_, cookie_);
    }

    void known(const MacAddress& backend) {
        StageFlow flow = towards(Table::Affinity, priority::kHigh);
        flow->match_ct_label(backend.bits()).set_eth_dst(backend);
        flow.go(Table::Returning, out_, cookie_);
    }

    void choose() {
        StageFlow flow = towards(Table::Affinity, priority::kNormal);
        flow->choose(static_cast<unsigned>(Reg::Backend),
                     static_cast<std::uint16_t>(vip_.backends.size()));
        flow.go(Table::Select, out_, cookie_);
    }

    void chosen(std::uint32_t index) {
        const MacAddress& backend = vip_.backends[index];
        StageFlow flow = towards(Table::Select, priority::kNormal);
        flow.match(Reg::Backend, index);
        flow->set_eth_dst(backend).ct({zone_, true, std::nullopt, std::nullopt, backend.bits()});
        flow.go(Table::Returning, out_, cookie_);
    }

    void returning() {
        StageFlow flow(Table::Returning, priority::kNormal);
        flow->match_metadata(vip_.network).match_ip_src(prefix_).ct({zone_});
        flow.go(Table::Local, out_, cookie_);
    }

  private:
    StageFlow towards(Table table, std::uint16_t flow_priority) const {
        StageFlow flow(table, flow_priority);
        flow.match(Reg::Vsid, vip_.vsid);
        flow->match_ip_dst(prefix_);
        return flow;
    }

    const policy::VipView& vip_;
    std::uint64_t cookie_;
    FlowSet& out_;
    std::uint16_t zone_;
    IpPrefix prefix_;
};

}  // namespace

void balance_vip(const policy::VipView& view, std::uint64_t cookie, FlowSet& out) {
    Vip vip(view, cookie, out);
    vip.enter(Table::Router);
    vip.enter(Table::Resolve);
    vip.track();
    vip.choose();
    for (std::uint32_t index = 0; index < view.backends.size(); ++index) {
        vip.known(view.backends[index]);
        vip.chosen(index);
    }
    if (view.first_of_network) {
        vip.returning();
    }
}

void balance_host(std::uint64_t cookie, FlowSet& out) {
    for (const Table table : {Table::Balance, Table::Affinity, Table::Select}) {
        StageFlow(table, priority::kMiss).drop(out, cookie);
    }
    StageFlow(Table::Returning, priority::kMiss).go(Table::Local, out, cookie);
}

}  // namespace hnv::pipeline
