#include "cli/host_facts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "cli/apply.h"
#include "cli/ovsdb_json.h"
#include "cli/ovsdb_session.h"
#include "cli/row_values.h"
#include "ovs-integration/unixctl_client.h"
#include "pipeline/flow_set.h"
#include "pipeline/layers.h"
#include "policy/model.h"

namespace hnv::cli {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};
constexpr std::chrono::seconds kFlowsTimeout{30};

// As it is in a cookie.
std::uint64_t tell48(std::string_view name) { return pipeline::tell_in(pipeline::tell_of(name)); }

std::string text_in(const Json::Value& object, const char* key) {
    return object.isObject() && object[key].isString() ? object[key].asString() : std::string();
}

std::uint32_t number_in_json(const Json::Value& object, const char* key) {
    return object.isObject() && object[key].isUInt() ? object[key].asUInt() : 0;
}

const Json::Value& array_in(const Json::Value& object, const char* key) {
    static const Json::Value none(Json::arrayValue);
    return object.isObject() && object[key].isArray() ? object[key] : none;
}

// The first address behind the prefix's own: the gateway where the policy names none.
IpAddress lowest_of(const IpPrefix& prefix) {
    auto bytes = prefix.network().bytes();
    bytes.back() = static_cast<std::uint8_t>(bytes.back() | 1U);
    return IpAddress::from_v6(bytes);
}

// The lowest VSID of each router's subnets, by the subnet's row: what the switch knows the virtual
// network by.
std::map<std::string, std::uint32_t> network_keys(
    const VtepRows& rows, const std::map<std::string, std::uint32_t>& vsids) {
    std::map<std::string, std::uint32_t> keys;
    for (const LogicalRouterRow& router : rows.routers) {
        if (!router.enabled) {
            continue;
        }
        std::uint32_t lowest = 0;
        for (const auto& [cidr, row] : router.switch_binding) {
            const auto vsid = vsids.find(row);
            if (vsid != vsids.end() && (lowest == 0 || vsid->second < lowest)) {
                lowest = vsid->second;
            }
        }
        for (const auto& [cidr, row] : router.switch_binding) {
            keys[row] = lowest;
        }
    }
    return keys;
}

}  // namespace

const LocalPort* HostFacts::port_named(std::string_view name) const {
    const std::string wanted = policy::normalize_port_name(name);
    const auto found = std::ranges::find(ports, wanted, &LocalPort::name);
    return found == ports.end() ? nullptr : &*found;
}

const LocalPort* HostFacts::port_numbered(std::uint32_t ofport) const {
    const auto found = std::ranges::find(ports, ofport, &LocalPort::ofport);
    return ofport == 0 || found == ports.end() ? nullptr : &*found;
}

const SubnetFacts* HostFacts::subnet(std::uint32_t vsid) const {
    const auto found = std::ranges::find(subnets, vsid, &SubnetFacts::vsid);
    return found == subnets.end() ? nullptr : &*found;
}

const CaMapping* HostFacts::mapping(std::uint32_t vsid, const IpAddress& ca) const {
    const auto found = std::ranges::find_if(mappings, [&](const CaMapping& mapping) {
        return mapping.vsid == vsid && mapping.ca == ca;
    });
    return found == mappings.end() ? nullptr : &*found;
}

std::vector<LocalPort> read_ports(const Json::Value& report) {
    std::vector<LocalPort> ports;
    for (const Json::Value& entry : report) {
        LocalPort port;
        port.name = text_in(entry, "name");
        port.interface = text_in(entry, "interface");
        port.ofport = number_in_json(entry, "ofport");
        port.mac = MacAddress::parse(text_in(entry, "mac"));
        port.pa = IpAddress::parse(text_in(entry, "provider_address"));
        port.state = text_in(entry, "state");
        port.reason = text_in(entry, "reason");
        for (const Json::Value& binding : array_in(entry, "bindings")) {
            BoundSubnet subnet{static_cast<std::uint16_t>(number_in_json(binding, "vlan") & 0xfff),
                               number_in_json(binding, "vsid"),
                               {}};
            for (const Json::Value& ca : array_in(binding, "cas")) {
                if (const auto address = IpAddress::parse(as_string(ca))) {
                    subnet.cas.push_back(*address);
                }
            }
            port.subnets.push_back(std::move(subnet));
        }
        ports.push_back(std::move(port));
    }
    return ports;
}

std::vector<CaMapping> read_mappings(const Json::Value& report) {
    std::vector<CaMapping> mappings;
    for (const Json::Value& entry : report) {
        const auto mac = MacAddress::parse(text_in(entry, "mac"));
        if (!mac) {
            continue;
        }
        mappings.push_back({number_in_json(entry, "vsid"), IpAddress::parse(text_in(entry, "ca")),
                            *mac, IpAddress::parse(text_in(entry, "pa")),
                            text_in(entry, "encapsulation"),
                            entry["local"].isBool() && entry["local"].asBool()});
    }
    return mappings;
}

std::vector<SubnetFacts> read_subnets(const VtepRows& rows) {
    std::map<std::string, std::uint32_t> vsids;
    for (const LogicalSwitchRow& row : rows.switches) {
        if (row.tunnel_key) {
            vsids[row.uuid] = static_cast<std::uint32_t>(*row.tunnel_key);
        }
    }
    const auto networks = network_keys(rows, vsids);
    std::map<std::uint32_t, SubnetFacts> subnets;
    for (const LogicalSwitchRow& row : rows.switches) {
        const auto vsid = vsids.find(row.uuid);
        if (vsid == vsids.end()) {
            continue;
        }
        const auto network = networks.find(row.uuid);
        subnets[vsid->second] = {vsid->second,
                                 network == networks.end() ? vsid->second : network->second,
                                 row.name,
                                 row.description,
                                 {},
                                 false,
                                 {}};
    }
    for (const LogicalRouterRow& router : rows.routers) {
        for (const auto& [cidr, row] : router.switch_binding) {
            const auto vsid = vsids.find(row);
            const auto binding = binding_of(cidr);
            if (vsid == vsids.end() || !binding) {
                continue;
            }
            SubnetFacts& subnet = subnets[vsid->second];
            subnet.router = router.name;
            subnet.routed = router.enabled;
            subnet.prefixes.push_back(
                {binding->prefix, binding->gateway.value_or(lowest_of(binding->prefix))});
        }
    }
    std::vector<SubnetFacts> list;
    list.reserve(subnets.size());
    for (auto& [vsid, subnet] : subnets) {
        list.push_back(std::move(subnet));
    }
    return list;
}

Names names_of(const HostFacts& facts, const SwitchPorts& ports) {
    Names names;
    for (const SwitchPort& port : ports.ports) {
        if (port.bridge == facts.bridge) {
            names.ports[port.ofport] = port.name;
        }
    }
    for (const LocalPort& port : facts.ports) {
        names.port_tells[tell48(port.name)] = port.name;
        if (port.ofport != 0) {
            names.ports[port.ofport] = port.name;
        }
    }
    for (const SubnetFacts& subnet : facts.subnets) {
        if (!subnet.router.empty()) {
            names.networks[subnet.network] = subnet.router;
        }
    }
    for (const CaMapping& mapping : facts.mappings) {
        if (mapping.ca) {
            const std::string ca = mapping.ca->to_string();
            names.address_tells[tell48(ca)] = ca;
        }
    }
    for (const RuleRow& rule : facts.rules) {
        names.rule_tells[tell48(rule.rule_id)] = rule.rule_id;
    }
    return names;
}

Result<Json::Value> ask_agent(const Arguments& arguments, const std::string& command,
                              const std::vector<std::string>& operands) {
    const std::string socket = arguments.run_dir + "/hnv-agent.ctl";
    const auto answer = ovs::unixctl_call(socket, command, operands, kAnswerTimeout);
    if (!answer && !operands.empty() && answer.error().message().starts_with("unix:")) {
        return answer.error();  // It has connected: the agent says so itself.
    }
    if (!answer) {
        return Error(answer.error().message() +
                     "\nIs hnv-agent running? --run-dir names another run directory.");
    }
    auto value = parse_json(*answer);
    if (!value) {
        return Error("the agent's answer to " + command + " is not JSON");
    }
    return std::move(*value);
}

std::vector<CaMapping> read_mappings(const VtepRows& rows,
                                     std::span<const std::string> provider_addresses) {
    std::map<std::string, std::uint32_t> vsids;
    for (const LogicalSwitchRow& row : rows.switches) {
        if (row.tunnel_key) {
            vsids[row.uuid] = static_cast<std::uint32_t>(*row.tunnel_key);
        }
    }
    std::set<IpAddress> own;
    for (const std::string& text : provider_addresses) {
        if (const auto prefix = IpPrefix::parse(text)) {
            own.insert(prefix->address);
        }
    }
    std::vector<CaMapping> mappings;
    for (const MappingRow& row : rows.mappings) {
        const auto mac = MacAddress::parse(row.mac);
        const auto vsid = vsids.find(row.logical_switch);
        const auto locator = std::ranges::find(rows.locators, row.locator, &LocatorRow::uuid);
        if (!mac || vsid == vsids.end() || locator == rows.locators.end()) {
            continue;
        }
        const auto pa = IpAddress::parse(locator->dst_ip);
        mappings.push_back({vsid->second, IpAddress::parse(row.ipaddr), *mac, pa,
                            locator->encapsulation_type.starts_with("nvgre") ? "nvgre" : "vxlan",
                            pa && own.contains(*pa)});
    }
    return mappings;
}

namespace {

Json::Value condition(std::string_view column, const Json::Value& value) {
    Json::Value one(Json::arrayValue);
    one.append(std::string(column));
    one.append("==");
    one.append(value);
    Json::Value all(Json::arrayValue);
    all.append(one);
    return all;
}

// The rows of ms_vtep, of mappings only those of some addresses: in the words given, and as the
// agent itself would write them.
Result<VtepRows> read_vtep(OvsdbSession& session, std::span<const std::string> cas) {
    std::set<std::string> words(cas.begin(), cas.end());
    for (const std::string& ca : cas) {
        if (const auto address = IpAddress::parse(ca)) {
            words.insert(address->to_string());
        }
    }
    Operations operations = vtep_select();
    Json::Value mappings;
    const Json::Value nobody = uuid_json(Uuid{}.to_string());
    Json::ArrayIndex place = 0;
    for (Json::ArrayIndex i = 0; i < operations.size(); ++i) {
        const std::string table = as_string(operations[i]["table"]);
        if (table == "Ucast_Macs_Remote") {
            mappings = operations[i];
            place = i;
        }
        if (table == "Ucast_Macs_Remote" || table == "Physical_Port") {
            operations[i]["where"] = condition("_uuid", nobody);
        }
    }
    const auto ours = static_cast<Json::ArrayIndex>(operations.size());
    for (const std::string& word : words) {
        mappings["where"] = condition("ipaddr", word);
        operations.push_back(mappings);
    }
    auto results = session.transact(kVtepDatabase, operations, kFlowsTimeout);
    if (!results) {
        return results.error();
    }
    for (Json::ArrayIndex i = ours; i < results->size(); ++i) {
        for (const Json::Value& row : (*results)[i]["rows"]) {
            (*results)[place]["rows"].append(row);
        }
    }
    return read_vtep_rows(*results);
}

// A port's name as a controller may have written it: a GUID in either case, with braces or not.
std::set<std::string> spellings(const std::string& name) {
    std::string upper = name;
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return {name, upper, "{" + name + "}", "{" + upper + "}"};
}

}  // namespace

void HostFacts::add_rule(RuleRow rule) {
    if (rule.rule_state != "Enabled") {
        return;
    }
    rule_index.emplace(std::pair(policy::normalize_port_name(rule.vnic_id), tell48(rule.rule_id)),
                       rules.size());
    rules.push_back(std::move(rule));
}

Result<HostFacts> gather(const Arguments& arguments, std::span<const std::string> cas) {
    HostFacts facts;
    const auto status = ask_agent(arguments, "hnv/status");
    const auto ports = status ? ask_agent(arguments, "hnv/ports") : status;
    const auto addresses = ports ? ask_agent(arguments, "hnv/provider-addresses") : ports;
    if (!addresses) {
        return addresses.error();
    }
    const Json::Value& of_switch = (*status)["switch"];
    facts.bridge = text_in(of_switch, "bridge");
    facts.ovs_run_dir = text_in(of_switch, "run_dir");
    facts.ports = read_ports(*ports);
    for (const Json::Value& address : *addresses) {
        facts.provider_addresses.push_back(text_in(address, "address"));
    }
    auto session = OvsdbSession::connect(database_remote(arguments));
    if (!session) {
        return session.error();
    }
    const auto vtep = read_vtep(*session, cas);
    if (!vtep) {
        return vtep.error();
    }
    facts.subnets = read_subnets(*vtep);
    facts.mappings = read_mappings(*vtep, facts.provider_addresses);
    facts.router_mac = MacAddress::parse(vtep->chassis.distributed_router_mac)
                           .value_or(policy::Model::kDefaultRouterMac);
    return facts;
}

Status fetch_mappings(const Arguments& arguments, HostFacts& facts) {
    const auto mappings = ask_agent(arguments, "hnv/mappings");
    if (!mappings) {
        return mappings.error();
    }
    facts.mappings = read_mappings(*mappings);
    return {};
}

Status fetch_rules(const Arguments& arguments, std::span<const std::string> ports,
                   HostFacts& facts) {
    auto session = OvsdbSession::connect(database_remote(arguments));
    if (!session) {
        return session.error();
    }
    const Operations all = firewall_select();
    Operations operations;
    for (const Json::Value& operation : all) {
        if (as_string(operation["table"]) != "FW_Rules") {
            operations.push_back(operation);
            continue;
        }
        for (const std::string& port : ports) {
            for (const std::string& name : spellings(port)) {
                Json::Value one = operation;
                one["where"] = condition("vnic_id", name);
                operations.push_back(std::move(one));
            }
        }
    }
    const auto results = session->transact(kFirewallDatabase, operations, kFlowsTimeout);
    if (!results) {
        return results.error();
    }
    // One answer of the form that the reader knows, for each port and spelling.
    for (Json::ArrayIndex i = 1; i < results->size(); ++i) {
        Json::Value one(Json::arrayValue);
        one.append((*results)[0]);
        one.append((*results)[i]);
        auto rows = read_firewall_rows(one);
        if (!rows) {
            return rows.error();
        }
        for (RuleRow& row : rows->rules) {
            facts.add_rule(std::move(row));
        }
    }
    return {};
}

Result<SwitchControl> SwitchControl::open(const HostFacts& facts) {
    namespace fs = std::filesystem;
    if (facts.ovs_run_dir.empty() || facts.bridge.empty()) {
        return Error("the agent does not say where its switch is: is it of an older version?");
    }
    const std::string program = facts.ovs_run_dir + "/ovs-vswitchd";
    std::ifstream file(program + ".pid");
    std::string pid;
    std::getline(file, pid);
    const std::string management = "unix:" + facts.ovs_run_dir + "/" + facts.bridge + ".mgmt";
    std::error_code ignored;
    for (const std::string& socket : {program + "." + pid + ".ctl", program + ".ctl"}) {
        if (fs::exists(socket, ignored)) {
            return SwitchControl(socket, management, facts.bridge);
        }
    }
    return Error("no control socket of ovs-vswitchd in " + facts.ovs_run_dir +
                 ": is ovs-vswitchd running?");
}

Result<std::string> SwitchControl::call(const std::string& command,
                                        std::span<const std::string> arguments) const {
    return ovs::unixctl_call(socket_, command, arguments, kFlowsTimeout);
}

Result<SwitchPorts> SwitchControl::ports() const {
    const auto text = call("dpif/show", {});
    if (!text) {
        return text.error();
    }
    SwitchPorts ports = parse_dpif_show(*text, bridge_);
    if (ports.ports.empty()) {
        return Error("ovs-vswitchd has no bridge " + bridge_);
    }
    return ports;
}

Result<std::vector<ovs::FlowRecord>> SwitchControl::flows(
    std::span<const ovs::FlowFilter> filters) const {
    return ovs::query_flows(management_, filters, kFlowsTimeout);
}

}  // namespace hnv::cli
