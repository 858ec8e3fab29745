#include "cli/policy_file.h"

#include <json/reader.h>

#include <limits>
#include <memory>
#include <set>
#include <span>
#include <tuple>

#include "cli/json_reader.h"
#include "cli/policy_names.h"

namespace hnv::cli {
namespace {

constexpr std::int64_t kIntMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kIntMin = std::numeric_limits<std::int64_t>::min();

template <typename Enum, std::size_t N>
std::optional<Enum> read_enum(ObjectReader& reader, std::string_view key,
                              const Names<Enum, N>& names) {
    return reader.one_of<Enum>(key, std::span<const std::pair<std::string_view, Enum>>(names));
}

// A string that identifies something: there, and not empty.
std::string required_name(ObjectReader& reader, std::string_view key) {
    const auto text = reader.string(key);
    if (text && text->empty()) {
        reader.problem(key, "must not be empty");
    }
    return reader.required(key, text);
}

std::int64_t required_vsid(ObjectReader& reader, std::string_view key) {
    return reader.required(key, reader.integer(key, kMinVsid, kMaxVsid));
}

// Reads one file. Each method reads one kind of item; what ties items together (uniqueness,
// references) is kept in the sets below.
class PolicyParser {
  public:
    Result<ParsedPolicy> parse(const Json::Value& root);

  private:
    ProviderAddress provider_address(const Json::Value& json, const std::string& path);
    RouterBinding router_binding(ObjectReader& reader);
    Subnet subnet(const Json::Value& json, const std::string& path);
    VirtualNetwork virtual_network(const Json::Value& json, const std::string& path);
    Mapping mapping(const Json::Value& json, const std::string& path);
    void bind_port(ObjectReader& reader, Port& port, bool needs_vsid);
    PortSettings port_settings(const Json::Value& json, const std::string& path);
    void other_config(const Json::Value& json, const std::string& path, PortSettings& settings);
    Port port(const Json::Value& json, const std::string& path);
    Acl acl(const Json::Value& json, const std::string& path);
    void check_vsid(ObjectReader& reader, std::int64_t vsid);

    Problems problems_;
    std::vector<std::string> warnings_;
    std::set<IpPrefix> provider_addresses_;
    std::set<std::string> networks_;
    std::set<std::int64_t> vsids_;
    std::set<std::string> subnet_names_;
    std::set<Mapping> mappings_;
    std::set<std::string> ports_;
    std::set<std::tuple<std::string, std::string, AclLayer>> acls_;
};

Result<ParsedPolicy> PolicyParser::parse(const Json::Value& root) {
    ParsedPolicy parsed;
    Policy& policy = parsed.policy;
    ObjectReader reader(root, "", problems_);
    (void)reader.required("version", reader.integer("version", 1, 1));
    policy.distributed_router_mac = reader.mac("distributed_router_mac");
    for (const auto& [json, path] : reader.array("provider_addresses")) {
        policy.provider_addresses.push_back(provider_address(*json, path));
    }
    for (const auto& [json, path] : reader.array("virtual_networks")) {
        policy.virtual_networks.push_back(virtual_network(*json, path));
    }
    for (const auto& [json, path] : reader.array("mappings")) {
        policy.mappings.push_back(mapping(*json, path));
    }
    for (const auto& [json, path] : reader.array("ports")) {
        policy.ports.push_back(port(*json, path));
    }
    for (const auto& [json, path] : reader.array("acls")) {
        policy.acls.push_back(acl(*json, path));
    }
    reader.finish();
    if (!problems_.empty()) {
        return Error(problems_.text());
    }
    parsed.warnings = std::move(warnings_);
    return parsed;
}

ProviderAddress PolicyParser::provider_address(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    ProviderAddress item;
    item.address = reader.required("address", reader.prefix("address"));
    item.gateway = reader.address("gateway");
    item.uplink = reader.string("uplink").value_or("");
    item.vlan = reader.integer("vlan", 1, 4094);
    item.mac = reader.mac("mac");
    reader.finish();
    if (!provider_addresses_.insert(item.address).second) {
        reader.problem("address", "'" + item.address.to_string() + "' is there twice");
    }
    return item;
}

RouterBinding PolicyParser::router_binding(ObjectReader& reader) {
    RouterBinding binding;
    binding.prefix = reader.required("prefix", reader.prefix("prefix"));
    if (binding.prefix.has_host_bits()) {
        reader.problem("prefix", "'" + binding.prefix.to_string() +
                                     "' has host bits; the gateway has a key of its own");
    }
    binding.gateway = reader.address("gateway");
    if (binding.gateway && !binding.prefix.contains(*binding.gateway)) {
        reader.problem("gateway", "'" + binding.gateway->to_string() + "' is not in " +
                                      binding.prefix.to_string());
    } else if (binding.gateway && *binding.gateway == binding.prefix.address) {
        reader.problem("gateway",
                       "'" + binding.gateway->to_string() + "' is the subnet's own address");
    }
    return binding;
}

Subnet PolicyParser::subnet(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    Subnet item;
    item.vsid = required_vsid(reader, "vsid");
    if (item.vsid != 0 && !vsids_.insert(item.vsid).second) {
        reader.problem("vsid", std::to_string(item.vsid) + " is there twice");
    }
    item.name = reader.string("name").value_or(std::to_string(item.vsid));
    if (item.vsid != 0 && !subnet_names_.insert(item.name).second) {
        reader.problem("name", "'" + item.name + "' is there twice");
    }
    if (json.isObject() && (json.isMember("prefix") || json.isMember("gateway"))) {
        item.bindings.push_back(router_binding(reader));
    } else {
        (void)reader.string("prefix");
        (void)reader.string("gateway");
    }
    for (const auto& [more, more_path] : reader.array("additional_prefixes")) {
        ObjectReader more_reader(*more, more_path, problems_);
        item.bindings.push_back(router_binding(more_reader));
        more_reader.finish();
    }
    reader.finish();
    return item;
}

VirtualNetwork PolicyParser::virtual_network(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    VirtualNetwork item;
    item.id = required_name(reader, "id");
    if (!item.id.empty() && !networks_.insert(item.id).second) {
        reader.problem("id", "'" + item.id + "' is there twice");
    }
    item.description = reader.string("description").value_or("");
    item.routed = reader.boolean("routed").value_or(true);
    std::set<IpPrefix> prefixes;
    for (const auto& [subnet_json, subnet_path] : reader.array("subnets")) {
        item.subnets.push_back(subnet(*subnet_json, subnet_path));
        for (const RouterBinding& binding : item.subnets.back().bindings) {
            if (!prefixes.insert(binding.prefix).second) {
                problems_.add(subnet_path + ".prefix",
                              "'" + binding.prefix.to_string() + "' is in this network twice");
            }
        }
    }
    reader.finish();
    return item;
}

void PolicyParser::check_vsid(ObjectReader& reader, std::int64_t vsid) {
    if (vsid != 0 && !vsids_.contains(vsid)) {
        reader.problem("vsid", std::to_string(vsid) + " is in no virtual network of this file");
    }
}

Mapping PolicyParser::mapping(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    Mapping item;
    item.vsid = required_vsid(reader, "vsid");
    check_vsid(reader, item.vsid);
    item.ca = reader.address("ca");
    item.mac = reader.required("mac", reader.mac("mac"));
    item.pa = reader.required("pa", reader.address("pa"));
    item.encapsulation =
        read_enum(reader, "encapsulation", kEncapsulationNames).value_or(Encapsulation::Vxlan);
    item.type = read_enum(reader, "type", kMappingTypeNames).value_or(MappingType::Default);
    reader.finish();
    if (item.vsid != 0 && !mappings_.insert(item).second) {
        problems_.add(path, "is there twice");
    }
    return item;
}

void PolicyParser::bind_port(ObjectReader& reader, Port& port, bool needs_vsid) {
    const auto vlan = reader.integer("vlan", 0, 4094).value_or(0);
    const auto vsid = reader.integer("vsid", kMinVsid, kMaxVsid);
    if (needs_vsid) {
        (void)reader.required("vsid", vsid);
    }
    if (!vsid) {
        return;
    }
    check_vsid(reader, *vsid);
    if (!port.vlan_to_vsid.emplace(vlan, *vsid).second) {
        reader.problem("vlan", std::to_string(vlan) + " is bound twice");
    }
}

void PolicyParser::other_config(const Json::Value& json, const std::string& path,
                                PortSettings& settings) {
    ObjectReader reader(json, path, problems_);
    for (const std::string& key : json.getMemberNames()) {
        if (const auto value = reader.string(key);
            value && !settings.other_config.emplace(key, *value).second) {
            reader.problem(key, "is set twice");
        }
    }
}

PortSettings PolicyParser::port_settings(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    PortSettings item;
    item.mac_spoofing_allowed = reader.boolean("mac_spoofing_allowed").value_or(false);
    item.ip_forwarding_allowed = reader.boolean("ip_forwarding_allowed").value_or(false);
    item.dhcp_guard = reader.boolean("dhcp_guard").value_or(false);
    item.router_guard = reader.boolean("router_guard").value_or(false);
    item.storm_limit_pps = reader.integer("storm_limit_pps", 0, kIntMax).value_or(0);
    item.flow_limit = reader.integer("flow_limit", 0, kIntMax).value_or(0);
    item.outbound_max_mbps = reader.integer("outbound_max_mbps", 0, kIntMax);
    item.inbound_max_mbps = reader.integer("inbound_max_mbps", 0, kIntMax);
    item.provider_address = reader.string("provider_address");
    if (const auto limit = reader.integer("arp_limit_pps", 0, kIntMax)) {
        item.other_config.emplace("arp_limit_pps", std::to_string(*limit));
    }
    if (const Json::Value* more = reader.object("other_config")) {
        other_config(*more, reader.path_of("other_config"), item);
    }
    reader.finish();
    return item;
}

Port PolicyParser::port(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    Port item;
    item.name = required_name(reader, "name");
    if (!item.name.empty() && !ports_.insert(port_key(item.name)).second) {
        reader.problem("name", "'" + item.name + "' is there twice");
    }
    item.description = reader.string("description");
    bind_port(reader, item, false);
    for (const auto& [trunk, trunk_path] : reader.array("trunk")) {
        ObjectReader trunk_reader(*trunk, trunk_path, problems_);
        bind_port(trunk_reader, item, true);
        trunk_reader.finish();
    }
    if (const Json::Value* settings = reader.object("settings")) {
        item.settings = port_settings(*settings, reader.path_of("settings"));
    }
    reader.finish();
    return item;
}

Acl PolicyParser::acl(const Json::Value& json, const std::string& path) {
    ObjectReader reader(json, path, problems_);
    Acl item;
    item.port = required_name(reader, "port");
    if (!item.port.empty() && !ports_.contains(port_key(item.port))) {
        warnings_.push_back(reader.path_of("port") + ": '" + item.port +
                            "' is not a port of this file");
    }
    item.id = required_name(reader, "id");
    item.layer = read_enum(reader, "layer", kAclLayerNames).value_or(AclLayer::Controller);
    item.direction =
        reader.required("direction", read_enum(reader, "direction", kAclDirectionNames));
    item.action = reader.required("action", read_enum(reader, "action", kAclActionNames));
    item.priority = reader.required("priority", reader.integer("priority", kIntMin, kIntMax));
    item.protocols = reader.string("protocols").value_or("*");
    item.source_addresses = reader.string("source_addresses").value_or("*");
    item.destination_addresses = reader.string("destination_addresses").value_or("*");
    item.source_ports = reader.string("source_ports").value_or("*");
    item.destination_ports = reader.string("destination_ports").value_or("*");
    item.enabled = reader.boolean("enabled").value_or(true);
    item.logging = reader.boolean("logging").value_or(false);
    reader.finish();
    if (!acls_.emplace(item.port, item.id, item.layer).second) {
        reader.problem("id", "'" + item.id + "' is there twice for this port and layer");
    }
    return item;
}

}  // namespace

std::string port_key(const std::string& name) {
    constexpr std::size_t kGuidLength = 36;
    std::string_view text = name;
    if (text.size() == kGuidLength + 2 && text.front() == '{' && text.back() == '}') {
        text = text.substr(1, kGuidLength);
    }
    if (text.size() != kGuidLength) {
        return name;
    }
    std::string key;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char c = text[i];
        const bool upper = c >= 'A' && c <= 'F';
        const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || upper;
        if (dash ? c != '-' : !digit) {
            return name;
        }
        key += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return key;
}

Result<ParsedPolicy> parse_policy(std::string_view text) {
    Json::CharReaderBuilder builder;
    Json::CharReaderBuilder::strictMode(&builder.settings_);
    const std::unique_ptr<Json::CharReader> reader(builder.newCharReader());
    Json::Value root;
    std::string errors;
    // jsoncpp throws when values are nested too deep.
    try {
        if (!reader->parse(text.data(), text.data() + text.size(), &root, &errors)) {
            while (!errors.empty() && errors.back() == '\n') {
                errors.pop_back();
            }
            return Error("is not valid JSON:\n" + errors);
        }
    } catch (const Json::Exception& exception) {
        return Error(std::string("is not valid JSON: ") + exception.what());
    }
    return PolicyParser().parse(root);
}

}  // namespace hnv::cli
