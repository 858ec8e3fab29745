// The commands that look into the switch: layers, rules, spaces, unified-flows, process-tuples.
//
// Each asks the agent, its databases and ovs-vswitchd by connections of its own, changes nothing,
// and gives what it found as JSON; operator_views.h shows it to a person.
#pragma once

#include <json/value.h>

#include "cli/args.h"
#include "ovs-integration/result.h"

namespace hnv::cli {

// {"port", "state", "directions": {"out": [layer…], "in": [layer…]}}; a layer: name, title, rules,
// packets, bytes, groups: [{family, class, rules, packets, bytes}].
[[nodiscard]] Result<Json::Value> layers_of_port(const Arguments& arguments);

// {"port", "layers": [{name, groups: [{family, class, rules: [{id, priority, condition, action,
// flows, packets, bytes}]}]}]}.
[[nodiscard]] Result<Json::Value> rules_of_port(const Arguments& arguments);

// {"virtual_networks": […], "provider_space": {…}}.
[[nodiscard]] Result<Json::Value> spaces(const Arguments& arguments);

// {"datapath", "flows": […], "traced"}.
[[nodiscard]] Result<Json::Value> unified_flows(const Arguments& arguments);

// {"tuple", "sender", "notes", "steps", "outcomes", "verdict", "sentence"}.
[[nodiscard]] Result<Json::Value> process_tuple(const Arguments& arguments);

}  // namespace hnv::cli
