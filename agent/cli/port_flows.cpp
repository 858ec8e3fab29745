#include "cli/port_flows.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "cli/text_list.h"
#include "cli/trace_text.h"
#include "cli/verdict.h"
#include "pipeline/flow_set.h"

namespace hnv::cli {
namespace {

using pipeline::Layer;
using pipeline::LayerInfo;
using pipeline::Reg;

std::string register_name(Reg reg) { return "reg" + std::to_string(static_cast<unsigned>(reg)); }

std::optional<std::uint64_t> register_in(const PortFlow& flow, Reg reg) {
    const auto value = field_of(flow.text.match, register_name(reg));
    return value ? number_in(*value) : std::nullopt;
}

std::uint64_t cookie_of_port(const LocalPort& port) {
    return pipeline::cookie_of(policy::ObjectKind::Port, pipeline::tell_of(port.name));
}

// Whether a flow names another port where it could name this one.
bool of_another(const PortFlow& flow, const LocalPort& port) {
    const auto source = register_in(flow, Reg::Source);
    const auto destination = register_in(flow, Reg::Destination);
    const auto judged = register_in(flow, Reg::Judged);
    return (source && *source != 0 && *source != port.ofport) ||
           (destination && *destination != port.ofport) || (judged && *judged != port.ofport);
}

// Which way a packet of the port meets a flow of a layer that both ways pass.
bool met_by(Way way, const LayerInfo& info, const PortFlow& flow, const LocalPort& port) {
    if (!(way == Way::Out ? info.out : info.in)) {
        return false;
    }
    if (!(info.out && info.in)) {
        return true;
    }
    const bool of_host = pipeline::owner_kind(flow.cookie) == "host";
    const bool own = flow.cookie == cookie_of_port(port);
    if (info.layer == Layer::Port) {
        return of_host || own == (way == Way::Out);
    }
    if (info.layer == Layer::Switch) {
        return of_host || way == Way::Out || own;
    }
    // From a tunnel there is no source port.
    const auto source = register_in(flow, Reg::Source);
    return !source || (*source == 0) == (way == Way::In);
}

struct Group {
    std::uint64_t rules = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;

    void add(const PortFlow& flow) {
        ++rules;
        packets += flow.packets;
        bytes += flow.bytes;
    }
    void write(Json::Value& to, const char* count) const {
        to[count] = Json::UInt64{rules};
        to["packets"] = Json::UInt64{packets};
        to["bytes"] = Json::UInt64{bytes};
    }
};

// Groups of a layer stand in the order in which their flows are tried.
struct GroupKey {
    std::uint32_t rank = 0;
    std::string_view family;
    std::string_view band;
    auto operator<=>(const GroupKey&) const = default;
};

GroupKey key_of(const PortFlow& flow) {
    const std::string_view band = pipeline::priority_class(flow.table, flow.priority);
    std::uint32_t rank = 1;
    for (const std::string_view one :
         {"state", "gateway", "ttl", "exceptions", "routes", "rules"}) {
        if (band == one) {
            return {rank, family_of(flow.text.match), band};
        }
        ++rank;
    }
    return {rank, family_of(flow.text.match), band};
}

Json::Value layer_json(const LayerInfo& info, std::span<const PortFlow> flows,
                       const LocalPort& port, Way way) {
    std::map<GroupKey, Group> groups;
    Group all;
    for (const PortFlow& flow : flows) {
        if (pipeline::layer_of(flow.table) == info.layer && met_by(way, info, flow, port)) {
            groups[key_of(flow)].add(flow);
            all.add(flow);
        }
    }
    Json::Value layer;
    layer["name"] = std::string(info.name);
    layer["title"] = std::string(info.title);
    all.write(layer, "rules");
    layer["groups"] = Json::Value(Json::arrayValue);
    for (const auto& [key, group] : groups) {
        Json::Value one;
        one["family"] = std::string(key.family);
        one["class"] = std::string(key.band);
        group.write(one, "rules");
        layer["groups"].append(one);
    }
    return layer;
}

// A rule: one flow, or all flows of one row of the policy.
struct Rule {
    std::string id;
    std::int64_t priority = 0;
    std::string condition;
    std::string action;
    Group sum;
};

bool drops(const PortFlow& flow) {
    return flow.text.actions.empty() || flow.text.actions == "drop";
}

class RuleList {
  public:
    RuleList(const LocalPort& port, const HostFacts& facts, const Names& names)
        : port_(port), facts_(facts), names_(names) {}

    void add(const PortFlow& flow) {
        Rule rule = describe(flow);
        const GroupKey key = key_of(flow);
        auto& rules = groups_[key];
        const auto [same, added] = places_.try_emplace(
            std::tuple(key, rule.id, rule.priority, rule.condition, rule.action), rules.size());
        if (added) {
            rules.push_back(std::move(rule));
        }
        rules[same->second].sum.add(flow);
    }

    [[nodiscard]] Json::Value json() const {
        Json::Value groups(Json::arrayValue);
        for (const auto& [key, rules] : groups_) {
            Json::Value group;
            group["family"] = std::string(key.family);
            group["class"] = std::string(key.band);
            group["rules"] = Json::Value(Json::arrayValue);
            for (const Rule& rule : rules) {
                Json::Value one;
                one["id"] = rule.id;
                one["priority"] = Json::Int64{rule.priority};
                one["condition"] = rule.condition;
                one["action"] = rule.action;
                rule.sum.write(one, "flows");
                group["rules"].append(one);
            }
            groups.append(group);
        }
        return groups;
    }

  private:
    Rule describe(const PortFlow& flow) const {
        Rule rule{owner_words(flow.cookie, names_),
                  flow.priority,
                  condition_words(flow.text.match, names_, port_.ofport),
                  action_list_words(flow.table, flow.text.match, flow.text.actions, names_),
                  {}};
        const auto layer = pipeline::layer_of(flow.table);
        if (!layer || !pipeline::rules_in(*layer) ||
            pipeline::priority_class(flow.table, flow.priority) != "rules") {
            return rule;
        }
        const auto rows = rules_of_flow(facts_, port_.name, flow.table, flow.cookie);
        if (rows.empty()) {
            return rule;
        }
        rule.id.clear();
        for (const RuleRow* row : rows) {
            rule.id += (rule.id.empty() ? "" : " or ") + row->rule_id;
        }
        rule.priority = rows.front()->priority;
        rule.condition = condition_of(*rows.front());
        rule.action = drops(flow) ? "block" : "allow";
        return rule;
    }

    const LocalPort& port_;
    const HostFacts& facts_;
    const Names& names_;
    std::map<GroupKey, std::vector<Rule>> groups_;
    // Where in its group a rule stands: its flows are one line.
    std::map<std::tuple<GroupKey, std::string, std::int64_t, std::string, std::string>, std::size_t>
        places_;
};

std::string any_or(const std::string& text) {
    return text.empty() || text == "*" ? std::string("any") : text;
}

}  // namespace

std::vector<PortFlow> read_flows(std::span<const ovs::FlowRecord> records) {
    std::vector<PortFlow> flows;
    flows.reserve(records.size());
    for (const ovs::FlowRecord& record : records) {
        flows.push_back({record.flow.table, record.flow.priority, record.flow.cookie,
                         text_of(record.flow), record.packets, record.bytes});
    }
    return flows;
}

std::vector<ovs::FlowFilter> filters_of(const LocalPort& port, const HostFacts& facts) {
    const auto reg = [](Reg which, std::uint32_t value) {
        return ovs::FlowFilter{{}, {}, {{static_cast<unsigned>(which), value}}, {}, {}};
    };
    std::vector<ovs::FlowFilter> filters{
        {{}, cookie_of_port(port), {}, {}, {}},
        {{}, pipeline::cookie_of(policy::ObjectKind::Host, 0), {}, {}, {}}};
    if (port.ofport != 0) {
        filters.push_back(reg(Reg::Source, port.ofport));
        filters.push_back(reg(Reg::Destination, port.ofport));
        filters.push_back(reg(Reg::Judged, port.ofport));
    }
    std::set<std::uint32_t> networks;
    for (const BoundSubnet& bound : port.subnets) {
        const SubnetFacts* subnet = facts.subnet(bound.vsid);
        filters.push_back(reg(Reg::Vsid, bound.vsid));
        filters.push_back(
            {{}, pipeline::cookie_of(policy::ObjectKind::Subnet, bound.vsid), {}, {}, {}});
        networks.insert(subnet == nullptr ? bound.vsid : subnet->network);
    }
    for (const std::uint32_t network : networks) {
        filters.push_back({{}, {}, {}, network, {}});
        // A next hop is looked up in every subnet of the network.
        for (const SubnetFacts& subnet : facts.subnets) {
            if (subnet.network == network) {
                auto resolve = reg(Reg::Vsid, subnet.vsid);
                resolve.table = static_cast<std::uint8_t>(pipeline::Table::Resolve);
                filters.push_back(resolve);
            }
        }
    }
    return filters;
}

std::vector<std::uint32_t> rule_groups_in(std::span<const PortFlow> flows) {
    const std::string field = "->" + register_name(Reg::RuleGroup);
    std::set<std::uint32_t> groups;
    for (const PortFlow& flow : flows) {
        for (const std::string_view action : split_list(flow.text.actions)) {
            constexpr std::string_view kSet = "set_field:";
            if (!action.starts_with(kSet) || !action.ends_with(field)) {
                continue;
            }
            const auto group =
                number_in(action.substr(kSet.size(), action.size() - kSet.size() - field.size()));
            if (group && *group != 0) {
                groups.insert(static_cast<std::uint32_t>(*group));
            }
        }
    }
    return {groups.begin(), groups.end()};
}

std::vector<ovs::FlowFilter> filters_of(std::span<const std::uint32_t> rule_groups) {
    std::vector<ovs::FlowFilter> filters;
    for (const std::uint32_t group : rule_groups) {
        filters.push_back({{}, {}, {{static_cast<unsigned>(Reg::RuleGroup), group}}, {}, {}});
    }
    return filters;
}

std::vector<PortFlow> flows_of(const LocalPort& port, std::vector<PortFlow> flows) {
    std::erase_if(flows, [&](const PortFlow& flow) { return of_another(flow, port); });
    return flows;
}

Json::Value layers_json(const LocalPort& port, std::span<const PortFlow> flows) {
    Json::Value result;
    result["port"] = port.name;
    result["state"] = port.state;
    for (const Way way : {Way::Out, Way::In}) {
        Json::Value& list = result["directions"][way == Way::Out ? "out" : "in"];
        list = Json::Value(Json::arrayValue);
        for (const LayerInfo& info : pipeline::layers()) {
            if (way == Way::Out ? info.out : info.in) {
                list.append(layer_json(info, flows, port, way));
            }
        }
    }
    return result;
}

Json::Value rules_json(const LocalPort& port, std::span<const PortFlow> flows,
                       const HostFacts& facts, const Names& names, std::optional<Layer> only) {
    Json::Value result;
    result["port"] = port.name;
    result["state"] = port.state;
    result["layers"] = Json::Value(Json::arrayValue);
    for (const LayerInfo& info : pipeline::layers()) {
        if (only && *only != info.layer) {
            continue;
        }
        RuleList rules(port, facts, names);
        for (const PortFlow& flow : flows) {
            if (pipeline::layer_of(flow.table) == info.layer) {
                rules.add(flow);
            }
        }
        Json::Value layer;
        layer["name"] = std::string(info.name);
        layer["title"] = std::string(info.title);
        layer["groups"] = rules.json();
        result["layers"].append(layer);
    }
    return result;
}

std::string condition_of(const RuleRow& rule) {
    std::string text = any_or(rule.protocols);
    text = text == "any" ? "any protocol" : text;
    text += ", from " + any_or(rule.src_ip_addresses);
    if (any_or(rule.src_ports) != "any") {
        text += " port " + rule.src_ports;
    }
    text += ", to " + any_or(rule.dst_ip_addresses);
    if (any_or(rule.dst_ports) != "any") {
        text += " port " + rule.dst_ports;
    }
    return text;
}

}  // namespace hnv::cli
