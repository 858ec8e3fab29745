#include <json/value.h>
#include <json/writer.h>

#include "cli/policy_file.h"
#include "cli/policy_names.h"

namespace hnv::cli {
namespace {

std::string quoted(std::string_view text) {
    return Json::valueToQuotedString(std::string(text).c_str());
}

// One JSON object on one line, members in the order they are added.
class Line {
  public:
    Line& raw(std::string_view key, const std::string& json) {
        text_ += (text_.empty() ? "" : ", ") + quoted(key) + ": " + json;
        return *this;
    }
    Line& string(std::string_view key, std::string_view value) { return raw(key, quoted(value)); }
    Line& integer(std::string_view key, std::int64_t value) {
        return raw(key, std::to_string(value));
    }
    Line& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }

    Line& string_unless(std::string_view key, std::string_view value, std::string_view standard) {
        return value == standard ? *this : string(key, value);
    }
    Line& boolean_unless(std::string_view key, bool value, bool standard) {
        return value == standard ? *this : boolean(key, value);
    }
    Line& integer_unless(std::string_view key, std::int64_t value, std::int64_t standard) {
        return value == standard ? *this : integer(key, value);
    }
    template <typename T>
    Line& integer_if(std::string_view key, const std::optional<T>& value) {
        return value ? integer(key, *value) : *this;
    }
    template <typename T>
    Line& text_if(std::string_view key, const std::optional<T>& value) {
        return value ? string(key, value->to_string()) : *this;
    }

    [[nodiscard]] std::string text() const { return "{" + text_ + "}"; }

  private:
    std::string text_;
};

// "[a, b]", each element on a line of its own with this indentation, or all on one line if empty.
std::string list(const std::vector<std::string>& elements, const std::string& indent) {
    if (elements.empty()) {
        return "[]";
    }
    std::string text = "[\n";
    for (std::size_t i = 0; i < elements.size(); ++i) {
        text += indent + "  " + elements[i] + (i + 1 < elements.size() ? ",\n" : "\n");
    }
    return text + indent + "]";
}

template <typename Item, typename Write>
std::vector<std::string> each(const std::vector<Item>& items, Write write) {
    std::vector<std::string> texts;
    texts.reserve(items.size());
    for (const Item& item : items) {
        texts.push_back(write(item));
    }
    return texts;
}

std::string inline_list(const std::vector<std::string>& elements) {
    std::string text;
    for (const std::string& element : elements) {
        text += (text.empty() ? "" : ", ") + element;
    }
    return "[" + text + "]";
}

// True if the text is what std::to_string() gives for a number of at most 18 digits.
bool is_plain_number(const std::string& text) {
    const bool leading_zero = text.size() > 1 && text.front() == '0';
    return !text.empty() && text.size() <= 18 && !leading_zero &&
           text.find_first_not_of("0123456789") == std::string::npos;
}

std::string write_provider_address(const ProviderAddress& item) {
    return Line()
        .string("address", item.address.to_string())
        .text_if("gateway", item.gateway)
        .string_unless("uplink", item.uplink, "")
        .integer_if("vlan", item.vlan)
        .text_if("mac", item.mac)
        .text();
}

void write_binding(Line& line, const RouterBinding& binding) {
    line.string("prefix", binding.prefix.to_string()).text_if("gateway", binding.gateway);
}

std::string write_subnet(const Subnet& item) {
    Line line;
    line.integer("vsid", item.vsid);
    std::vector<std::string> more;
    for (std::size_t i = 0; i < item.bindings.size(); ++i) {
        if (i == 0) {
            write_binding(line, item.bindings[i]);
        } else {
            Line binding;
            write_binding(binding, item.bindings[i]);
            more.push_back(binding.text());
        }
    }
    line.string_unless("name", item.name, std::to_string(item.vsid));
    if (!more.empty()) {
        line.raw("additional_prefixes", inline_list(more));
    }
    return line.text();
}

std::string write_virtual_network(const VirtualNetwork& item) {
    return Line()
        .string("id", item.id)
        .string_unless("description", item.description, "")
        .boolean("routed", item.routed)
        .raw("subnets", list(each(item.subnets, write_subnet), "    "))
        .text();
}

std::string write_mapping(const Mapping& item) {
    return Line()
        .integer("vsid", item.vsid)
        .text_if("ca", item.ca)
        .string("mac", item.mac.to_string())
        .string("pa", item.pa.to_string())
        .string("encapsulation", name_of(item.encapsulation, kEncapsulationNames))
        .string_unless("type", name_of(item.type, kMappingTypeNames), "default")
        .text();
}

std::string write_settings(const PortSettings& item) {
    Line line;
    line.boolean_unless("mac_spoofing_allowed", item.mac_spoofing_allowed, false)
        .boolean_unless("ip_forwarding_allowed", item.ip_forwarding_allowed, false)
        .boolean_unless("dhcp_guard", item.dhcp_guard, false)
        .boolean_unless("router_guard", item.router_guard, false)
        .integer_unless("storm_limit_pps", item.storm_limit_pps, 0)
        .integer_unless("flow_limit", item.flow_limit, 0)
        .integer_if("outbound_max_mbps", item.outbound_max_mbps)
        .integer_if("inbound_max_mbps", item.inbound_max_mbps);
    if (item.provider_address) {
        line.string("provider_address", *item.provider_address);
    }
    Line more;
    bool any = false;
    for (const auto& [key, value] : item.other_config) {
        if (key == "arp_limit_pps" && is_plain_number(value)) {
            line.raw(key, value);
        } else {
            more.string(key, value);
            any = true;
        }
    }
    if (any) {
        line.raw("other_config", more.text());
    }
    return line.text();
}

std::string write_port(const Port& item) {
    Line line;
    line.string("name", item.name);
    std::vector<std::string> trunk;
    for (const auto& [vlan, vsid] : item.vlan_to_vsid) {
        if (vlan == item.vlan_to_vsid.begin()->first) {
            line.integer("vsid", vsid).integer_unless("vlan", vlan, 0);
        } else {
            trunk.push_back(Line().integer("vsid", vsid).integer("vlan", vlan).text());
        }
    }
    if (item.description) {
        line.string("description", *item.description);
    }
    if (!trunk.empty()) {
        line.raw("trunk", inline_list(trunk));
    }
    if (item.settings) {
        line.raw("settings", write_settings(*item.settings));
    }
    return line.text();
}

std::string write_acl(const Acl& item) {
    return Line()
        .string("port", item.port)
        .string("id", item.id)
        .string("layer", name_of(item.layer, kAclLayerNames))
        .string("direction", name_of(item.direction, kAclDirectionNames))
        .string("action", name_of(item.action, kAclActionNames))
        .integer("priority", item.priority)
        .string_unless("protocols", item.protocols, "*")
        .string_unless("source_addresses", item.source_addresses, "*")
        .string_unless("destination_addresses", item.destination_addresses, "*")
        .string_unless("source_ports", item.source_ports, "*")
        .string_unless("destination_ports", item.destination_ports, "*")
        .boolean_unless("enabled", item.enabled, true)
        .boolean_unless("logging", item.logging, false)
        .text();
}

}  // namespace

std::string write_policy(const Policy& policy) {
    std::string text = "{\n  \"version\": 1";
    const auto section = [&text](std::string_view key, const std::string& json) {
        text += ",\n  " + quoted(key) + ": " + json;
    };
    if (policy.distributed_router_mac) {
        section("distributed_router_mac", quoted(policy.distributed_router_mac->to_string()));
    }
    section("provider_addresses",
            list(each(policy.provider_addresses, write_provider_address), "  "));
    section("virtual_networks", list(each(policy.virtual_networks, write_virtual_network), "  "));
    section("mappings", list(each(policy.mappings, write_mapping), "  "));
    section("ports", list(each(policy.ports, write_port), "  "));
    section("acls", list(each(policy.acls, write_acl), "  "));
    return text + "\n}\n";
}

}  // namespace hnv::cli
