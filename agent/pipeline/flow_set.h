// The flows and meters of one policy object, and the builder that its stages use.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "ovs-integration/flow.h"
#include "ovs-integration/openflow.h"
#include "pipeline/layout.h"
#include "policy/objects.h"

namespace hnv::pipeline {

// Who uses a connection tracking zone: connections of another user are not the present one's.
struct ZoneUse {
    std::uint16_t zone = 0;
    std::uint32_t user = 0;  // ct_mark of its connections.
    bool operator==(const ZoneUse&) const = default;
};

struct ZoneLimit {
    std::uint16_t zone = 0;
    std::uint32_t limit = 0;  // 0: no limit.
};

struct FlowSet {
    std::vector<ovs::Flow> flows;
    std::vector<ovs::Meter> meters;
    // A sentence when the object can only be realised in part.
    std::string shortfall{};
    std::vector<ZoneUse> zones{};
    // Of a port: the zones of its firewall, and how many connections each may hold.
    std::vector<ZoneLimit> zone_limits{};
};

// Typed access to ovs::FlowBuilder by the names of layout.h.
class StageFlow {
  public:
    StageFlow(Table table, std::uint16_t flow_priority)
        : builder_(static_cast<std::uint8_t>(table), flow_priority) {}

    StageFlow& match(Reg reg, std::uint32_t value) {
        builder_.match_reg(static_cast<unsigned>(reg), value);
        return *this;
    }
    StageFlow& set(Reg reg, std::uint32_t value) {
        builder_.set_reg(static_cast<unsigned>(reg), value);
        return *this;
    }
    StageFlow& resubmit(Table table) {
        builder_.resubmit(static_cast<std::uint8_t>(table));
        return *this;
    }
    // Of several subnets that a trunking guest is in, the one of this VLAN. A port that is in one
    // subnet only, untagged, is told by its number.
    StageFlow& match_vlan_of(Reg reg, const policy::PortView& port,
                             const policy::Attachment& attachment) {
        if (port.attachments.size() > 1 || attachment.vlan != 0) {
            match(reg, tci_of(attachment.vlan));
        }
        return *this;
    }
    // What `actions` adds to this flow is done to a copy of the packet.
    StageFlow& copy(const std::function<void()>& actions) {
        builder_.clone(actions);
        return *this;
    }
    // The rest of the match and of the actions.
    ovs::FlowBuilder* operator->() { return &builder_; }

    // Ends the flow.
    void drop(FlowSet& out, std::uint64_t cookie) { out.flows.push_back(builder_.build(cookie)); }
    void go(Table table, FlowSet& out, std::uint64_t cookie) {
        builder_.goto_table(static_cast<std::uint8_t>(table));
        out.flows.push_back(builder_.build(cookie));
    }
    void end(FlowSet& out, std::uint64_t cookie) { out.flows.push_back(builder_.build(cookie)); }

  private:
    ovs::FlowBuilder builder_;
};

// The cookie of all flows of an object; `tell` is what a person recognises it by (48 bits).
[[nodiscard]] std::uint64_t cookie_of(policy::ObjectKind kind, std::uint64_t tell);
// A name's 48 bits (FNV-1a).
[[nodiscard]] std::uint64_t tell_of(std::string_view name);

}  // namespace hnv::pipeline
