// Policy object → flows: the pure function that the whole pipeline is.
#pragma once

#include "pipeline/flow_set.h"
#include "policy/model.h"

namespace hnv::pipeline {

// All flows and meters that the object owns; none if it does not exist or has no effect. No two
// objects of one model own a flow with the same key.
[[nodiscard]] FlowSet compile(const policy::Model& model, const policy::ObjectId& id);

// The same from a view.
[[nodiscard]] FlowSet compile(const policy::HostView& host);
[[nodiscard]] FlowSet compile(const policy::PortView& port);
[[nodiscard]] FlowSet compile(const policy::SubnetView& subnet);
[[nodiscard]] FlowSet compile(const policy::PeerView& peer);
[[nodiscard]] FlowSet compile(const policy::MacView& mac);
[[nodiscard]] FlowSet compile(const policy::RouterView& router);
[[nodiscard]] FlowSet compile(const policy::VipView& vip);
[[nodiscard]] FlowSet compile(const policy::ServiceView& service);
[[nodiscard]] FlowSet compile(const policy::RulesView& rules);
[[nodiscard]] FlowSet compile(const policy::LearnedView& mac);

}  // namespace hnv::pipeline
