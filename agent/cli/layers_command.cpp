// hnvctl layers, hnvctl rules: what the switch holds for a port.
#include <algorithm>
#include <iterator>

#include "cli/operator_commands.h"
#include "cli/port_flows.h"
#include "pipeline/layers.h"

namespace hnv::cli {
namespace {

// The host, the port that was asked for, and the switch's flows for it.
struct PortPicture {
    HostFacts facts;
    std::string port;
    Names names;
    std::vector<PortFlow> flows;

    [[nodiscard]] const LocalPort& local() const { return *facts.port_named(port); }
};

Result<PortPicture> look(const Arguments& arguments) {
    auto facts = gather(arguments);
    if (!facts) {
        return facts.error();
    }
    const std::string& name = arguments.operands.front();
    const LocalPort* port = facts->port_named(name);
    if (port == nullptr) {
        return Error("no port '" + name + "' on this host: see hnvctl ports");
    }
    const std::vector<std::string> names_of_ports{port->name};
    if (Status rules = fetch_rules(arguments, names_of_ports, *facts); !rules) {
        return rules.error();
    }
    const auto control = SwitchControl::open(*facts);
    if (!control) {
        return control.error();
    }
    const auto ports = control->ports();
    if (!ports) {
        return ports.error();
    }
    const auto records = control->flows(filters_of(*port, *facts));
    if (!records) {
        return records.error();
    }
    auto flows = flows_of(*port, read_flows(*records));
    const auto groups = rule_groups_in(flows);
    const auto shared = control->flows(filters_of(groups));
    if (!shared) {
        return shared.error();
    }
    std::ranges::move(read_flows(*shared), std::back_inserter(flows));
    Names names = names_of(*facts, *ports);
    return PortPicture{std::move(*facts), name, std::move(names), std::move(flows)};
}

}  // namespace

Result<Json::Value> layers_of_port(const Arguments& arguments) {
    const auto picture = look(arguments);
    if (!picture) {
        return picture.error();
    }
    return layers_json(picture->local(), picture->flows);
}

Result<Json::Value> rules_of_port(const Arguments& arguments) {
    std::optional<pipeline::Layer> only;
    if (arguments.operands.size() > 1) {
        only = pipeline::layer_named(arguments.operands[1]);
        if (!only) {
            std::string names;
            for (const pipeline::LayerInfo& info : pipeline::layers()) {
                names += (names.empty() ? "" : ", ") + std::string(info.name);
            }
            return Error("'" + arguments.operands[1] + "' is none of the layers: " + names);
        }
    }
    const auto picture = look(arguments);
    if (!picture) {
        return picture.error();
    }
    return rules_json(picture->local(), picture->flows, picture->facts, picture->names, only);
}

}  // namespace hnv::cli
