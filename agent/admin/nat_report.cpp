// hnv/nat: the rows of NAT, and where what they do is counted. The counting is the asker's: the
// agent's loop waits for nobody.
#include "admin/reports.h"
#include "pipeline/nat.h"
#include "underlay/switch_routes.h"

namespace hnv::admin {

namespace {

[[nodiscard]] Json::Value row_of(const policy::NatStatus& status) {
    const policy::NatSpec& spec = status.spec;
    Json::Value row;
    row["name"] = spec.name;
    row["port"] = spec.port;
    row["vlan"] = spec.vlan;
    row["type"] = spec.is_static ? "static" : "dynamic";
    row["internal"] = Json::Value(Json::arrayValue);
    for (const IpPrefix& prefix : spec.internal) {
        const bool whole = prefix.length == (prefix.address.is_v4() ? 32U : 128U);
        row["internal"].append(whole ? prefix.address.to_string() : prefix.to_string());
    }
    row["external"] =
        spec.first.to_string() + (spec.first == spec.last ? "" : "-" + spec.last.to_string());
    row["ports"] = spec.ports
                       ? std::to_string(spec.ports->first) + "-" + std::to_string(spec.ports->last)
                       : "";
    row["in_force"] = status.problem.empty();
    row["reason"] = status.problem;
    return row;
}

[[nodiscard]] Json::Value port_of(const pipeline::NatDrops& drops) {
    Json::Value port;
    port["port"] = drops.port;
    port["ofport"] = drops.ofport;
    port["vlan"] = drops.vlan;
    port["zone"] = drops.zone;
    for (const auto& [name, flow] :
         {std::pair("exhausted", &drops.exhausted), std::pair("unsolicited", &drops.unsolicited),
          std::pair("broken", &drops.broken)}) {
        port["flows"][name]["table"] = flow->table;
        port["flows"][name]["flow"] = ovs::to_text(*flow);
    }
    return port;
}

}  // namespace

// "switch", "switch_control": where ovs-vswitchd is asked. "ports": of each gateway port its
// connection tracking zone, and the drop flows by what they count, as ovs-ofctl prints them.
Json::Value Reports::nat() const {
    Json::Value nat;
    nat["switch"] = "unix:" + sources_.ovs_run_dir + "/" + sources_.bridge + ".mgmt";
    nat["switch_control"] = underlay::switch_control_socket(sources_.ovs_run_dir);
    nat["rows"] = Json::Value(Json::arrayValue);
    nat["ports"] = Json::Value(Json::arrayValue);
    sources_.model.for_each_nat(
        [&nat](const policy::NatStatus& status) { nat["rows"].append(row_of(status)); });
    sources_.model.for_each_nat_port([&nat](const policy::PortView& port) {
        for (const pipeline::NatDrops& drops : pipeline::nat_drops(port)) {
            nat["ports"].append(port_of(drops));
        }
    });
    return nat;
}

}  // namespace hnv::admin
