#include "northbound/ms_vtep_reader.h"

#include <charconv>

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

namespace {

[[nodiscard]] std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

[[nodiscard]] policy::MappingType mapping_type(std::string_view text) {
    if (text == "learning_disabled") {
        return policy::MappingType::LearningDisabled;
    }
    if (text == "load_balanced") {
        return policy::MappingType::LoadBalanced;
    }
    return policy::MappingType::Default;
}

// static_routes: prefix → next hop. What can't be read is left out, and told in `problem`.
[[nodiscard]] std::vector<policy::StaticRoute> static_routes(const ovs::Row& row,
                                                             std::optional<std::string>& problem) {
    std::vector<policy::StaticRoute> routes;
    for (const auto& [key, value] : row.string_map("static_routes")) {
        const auto prefix = IpPrefix::parse(key);
        const auto next_hop = IpAddress::parse(value);
        if (prefix && next_hop && prefix->address.is_v4() == next_hop->is_v4()) {
            routes.push_back({{prefix->network(), prefix->length}, *next_hop});
        } else {
            problem = "static route " + quoted(key) + " to " + quoted(value) +
                      " is not a prefix and an address of one family; it is left out";
        }
    }
    return routes;
}

// other_config:vlan and :uplink of a subnet that is a VLAN of the underlay; nullopt: it is none, or
// `problem` says what is wrong.
[[nodiscard]] std::optional<policy::VlanSpec> plain_vlan(const ovs::Row& row,
                                                         std::optional<std::string>& problem) {
    policy::VlanSpec spec;
    std::string_view number;
    for (const auto& [key, value] : row.string_map("other_config")) {
        if (key == "vlan") {
            number = value;
        } else if (key == "uplink") {
            spec.uplink = value;
        }
    }
    if (number.empty()) {
        return std::nullopt;
    }
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), spec.vlan);
    if (error != std::errc() || end != number.data() + number.size() || spec.vlan < 1 ||
        spec.vlan > 4094) {
        problem = "other_config:vlan is " + quoted(number) + "; a VLAN is 1 to 4094";
        return std::nullopt;
    }
    if (spec.uplink.empty()) {
        problem = "other_config:vlan needs other_config:uplink, the NIC or bridge that leads there";
        return std::nullopt;
    }
    return spec;
}

}  // namespace

void MsVtepReader::on_row(const ovs::RowChange& change) {
    if (change.table == "Ucast_Macs_Remote") {
        mapping(change);
    } else if (change.table == "Physical_Locator") {
        locator(change);
    } else if (change.table == "Mcast_Macs_Remote") {
        group(change);
    } else if (change.table == "Physical_Locator_Set") {
        locator_set(change);
    } else if (change.table == "Logical_Switch") {
        subnet(change);
    } else if (change.table == "Logical_Router") {
        router(change);
    } else if (change.table == "Physical_Port") {
        port(change);
    } else if (change.table == "Physical_Switch") {
        physical_switch(change);
    } else if (change.table == "Global") {
        sequence(database(), "Global", change);
    }
}

RowRef MsVtepReader::row_of(SourceTable ms_table, const ovs::RowChange& change) {
    if (dialect_.vtep && change.after) {
        model_.note_vtep(change.uuid);
    }
    return {dialect_.vtep ? policy::vtep_twin(ms_table) : ms_table, change.uuid};
}

void MsVtepReader::subnet(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepLogicalSwitch, change);
    if (!change.after) {
        return forget(row);
    }
    std::optional<std::string> vlan_problem;
    if (const auto vlan = dialect_.vtep ? std::nullopt : plain_vlan(*change.after, vlan_problem)) {
        policy::SubnetSpec spec;
        spec.vsid = policy::vsid_of_vlan(vlan->vlan);
        spec.name = change.after->string("name");
        spec.rdid = change.after->string("description");
        spec.vlan = *vlan;
        return accept(row, FaultKey::VsidRange, std::move(spec));
    }
    if (vlan_problem) {
        return refuse(
            row, FaultKey::VsidRange,
            "Logical_Switch " + quoted(change.after->string("name")) + ": " + *vlan_problem);
    }
    const std::int64_t vsid = change.after->integer("tunnel_key").value_or(0);
    if (vsid < dialect_.min_vsid || vsid > dialect_.max_vsid) {
        return refuse(row, FaultKey::VsidRange,
                      "tunnel_key of Logical_Switch " + quoted(change.after->string("name")) +
                          " is " + std::to_string(vsid) + "; a VSID is " +
                          std::to_string(dialect_.min_vsid) + " to " +
                          std::to_string(dialect_.max_vsid));
    }
    policy::SubnetSpec spec;
    spec.vsid = static_cast<std::uint32_t>(vsid);
    spec.name = change.after->string("name");
    spec.rdid = change.after->string("description");
    // Unless it is said otherwise (vtep(5)).
    spec.service_node = dialect_.vtep && change.after->string("replication_mode") != "source_node";
    std::optional<std::string> problem;
    spec.static_routes = static_routes(*change.after, problem);
    for (const auto& [key, value] : change.after->string_map("other_config")) {
        if (key == "replication") {
            spec.replicate_per_vm = value == "per-vm";
        } else if (key == "programming") {
            spec.programming = programming_named(value);
        }
    }
    accept(row, FaultKey::VsidRange, std::move(spec));
    faults_.set(row, FaultKey::BadAddress, problem);
}

void MsVtepReader::router(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepLogicalRouter, change);
    if (!change.after) {
        return forget(row);
    }
    policy::RouterSpec spec;
    spec.id = change.after->string("name");
    // hardware_vtep has no such column: a router is there to route.
    spec.enabled = dialect_.vtep || change.after->boolean("enable_logical_router");
    std::optional<std::string> problem;
    for (const auto& [key, subnet] : change.after->reference_map("switch_binding")) {
        const auto prefix = IpPrefix::parse(key);
        if (prefix) {
            spec.bindings.push_back({*prefix, subnet});
        } else {
            problem = "switch_binding key " + quoted(key) + " of Logical_Router " +
                      quoted(spec.id) +
                      " is not a prefix like 10.1.1.0/24; that subnet is left out";
        }
    }
    std::optional<std::string> route_problem;
    spec.static_routes = static_routes(*change.after, route_problem);
    model_.put(row.uuid, std::move(spec));
    faults_.set(row, FaultKey::RouterKey, problem);
    faults_.set(row, FaultKey::BadAddress, route_problem);
}

void MsVtepReader::locator(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepPhysicalLocator, change);
    if (!change.after) {
        return forget(row);
    }
    const std::string_view type = change.after->string("encapsulation_type");
    const std::string_view destination = change.after->string("dst_ip");
    const auto pa = IpAddress::parse(destination);
    const bool over_v4 = type.ends_with("_over_ipv4");
    if (!pa || pa->is_v4() != over_v4) {
        return refuse(row, FaultKey::BadAddress,
                      "dst_ip " + quoted(destination) + " of a Physical_Locator is not an " +
                          (over_v4 ? "IPv4" : "IPv6") + " address, as " + std::string(type) +
                          " needs; insert a new locator");
    }
    const auto encapsulation =
        type.starts_with("nvgre") ? policy::Encapsulation::Nvgre : policy::Encapsulation::Vxlan;
    accept(row, FaultKey::BadAddress, policy::LocatorSpec{encapsulation, *pa});
    const auto key = change.after->integer("tunnel_key");
    faults_.set(row, FaultKey::TunnelKey,
                key ? std::optional("tunnel_key of the Physical_Locator " + pa->to_string() +
                                    " is " + std::to_string(*key) +
                                    "; a tunnel has no key of its own, the Logical_Switch's is "
                                    "used: clear it here and set that")
                    : std::nullopt);
}

void MsVtepReader::mapping(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepUcastMacsRemote, change);
    if (!change.after) {
        return forget(row);
    }
    const std::string_view mac_text = change.after->string("MAC");
    const std::string_view ca_text = change.after->string("ipaddr");
    const auto mac = MacAddress::parse(mac_text);
    if (!mac || mac->is_multicast()) {
        return refuse(row, FaultKey::BadAddress,
                      "MAC " + quoted(mac_text) +
                          " of a Ucast_Macs_Remote row is not a unicast MAC like "
                          "00:15:5d:01:02:03");
    }
    policy::MappingSpec spec;
    spec.mac = *mac;
    if (!ca_text.empty()) {
        spec.ca = IpAddress::parse(ca_text);
        if (!spec.ca) {
            return refuse(row, FaultKey::BadAddress,
                          "ipaddr " + quoted(ca_text) + " of the mapping of " + mac->to_string() +
                              " is not an IP address");
        }
    }
    spec.subnet = change.after->reference("logical_switch").value_or(Uuid{});
    spec.locator = change.after->reference("locator").value_or(Uuid{});
    spec.type = mapping_type(change.after->string("mapping_type"));
    accept(row, FaultKey::BadAddress, spec);
}

void MsVtepReader::locator_set(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepPhysicalLocatorSet, change);
    if (!change.after) {
        return forget(row);
    }
    model_.put(row.uuid, policy::LocatorSetSpec{change.after->references("locators")});
}

void MsVtepReader::group(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepMcastMacsRemote, change);
    if (!change.after) {
        return forget(row);
    }
    const std::string_view text = change.after->string("MAC");
    policy::GroupSpec spec;
    if (text != "unknown-dst") {
        spec.mac = MacAddress::parse(text);
        if (!spec.mac || !spec.mac->is_multicast()) {
            return refuse(row, FaultKey::BadAddress,
                          "MAC " + quoted(text) +
                              " of a Mcast_Macs_Remote row is neither a multicast MAC, like "
                              "ff:ff:ff:ff:ff:ff, nor unknown-dst");
        }
    }
    spec.subnet = change.after->reference("logical_switch").value_or(Uuid{});
    spec.locator_set = change.after->reference("locator_set").value_or(Uuid{});
    accept(row, FaultKey::BadAddress, spec);
}

void MsVtepReader::port(const ovs::RowChange& change) {
    const RowRef row = row_of(SourceTable::MsVtepPhysicalPort, change);
    if (!change.after) {
        return forget(row);
    }
    // A VTEP has ports that nobody uses: an unbound one says nothing, and is no fault.
    if (dialect_.vtep && change.after->integer_reference_map("vlan_bindings").empty() &&
        change.after->integer_reference_map("acl_bindings").empty()) {
        return forget(row);
    }
    policy::PortSpec spec;
    spec.name = policy::normalize_port_name(change.after->string("name"));
    for (const auto& [vlan, subnet] : change.after->integer_reference_map("vlan_bindings")) {
        spec.vlan_bindings.emplace(static_cast<std::uint16_t>(vlan), subnet);
    }
    spec.vtep = dialect_.vtep;
    for (const auto& [vlan, acl] : change.after->integer_reference_map("acl_bindings")) {
        spec.acl_bindings.emplace(static_cast<std::uint16_t>(vlan), acl);
    }
    model_.put(row.uuid, std::move(spec));
}

void MsVtepReader::physical_switch(const ovs::RowChange& change) {
    const RowRef row{SourceTable::MsVtepPhysicalSwitch, change.uuid};
    if (!change.after) {
        forget(row);
        return model_.set_router_mac(policy::Model::kDefaultRouterMac);
    }
    const std::string_view text = change.after->string("distributed_router_mac");
    const auto mac = MacAddress::parse(text);
    const bool usable = mac && !mac->is_multicast();
    faults_.set(row, FaultKey::BadAddress,
                usable || text.empty()
                    ? std::nullopt
                    : std::optional("distributed_router_mac " + quoted(text) +
                                    " is not a unicast MAC; the default is used"));
    model_.set_router_mac(usable ? *mac : policy::Model::kDefaultRouterMac);
}

}  // namespace hnv::northbound
