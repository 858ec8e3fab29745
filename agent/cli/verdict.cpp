#include "cli/verdict.h"

#include <algorithm>
#include <array>
#include <set>

#include "cli/text_list.h"
#include "pipeline/flow_set.h"
#include "pipeline/layers.h"

namespace hnv::cli {
namespace {

using pipeline::Layer;
using pipeline::PacketInKind;
using pipeline::Reg;

constexpr unsigned kNvgreKeyShift = 8;

Json::Value number_json(std::uint64_t value) { return Json::UInt64{value}; }

// The registers that a step changes, and those that a section begins with.
class Registers {
  public:
    void begin(std::string_view flow) {
        values_.fill(0);
        for (const std::string_view item : split_list(flow)) {
            const auto [key, value] = pair_of(item);
            set(key, value);
        }
    }
    // What a flow that took the packet says of them: of a packet that is resumed with what the
    // switch has kept, nothing else does.
    void learn(std::string_view match) {
        for (const std::string_view item : split_list(match)) {
            const auto [key, value] = pair_of(item);
            set(key, value);
        }
    }
    void apply(const std::vector<std::string>& actions) {
        constexpr std::string_view kSet = "set_field:";
        for (const std::string& action : actions) {
            const std::size_t arrow = action.find("->");
            if (action.starts_with(kSet) && arrow != std::string::npos) {
                const std::string_view text = action;
                set(text.substr(arrow + 2), text.substr(kSet.size(), arrow - kSet.size()));
            }
        }
    }
    [[nodiscard]] std::uint32_t operator[](Reg reg) const {
        return values_.at(static_cast<std::size_t>(reg));
    }

  private:
    void set(std::string_view key, std::string_view value) {
        constexpr std::string_view kReg = "reg";
        if (!key.starts_with(kReg)) {
            return;
        }
        const auto index = number_in(key.substr(kReg.size()));
        const auto number = number_in(value);
        if (index && number && *index < values_.size()) {
            values_.at(*index) = static_cast<std::uint32_t>(*number);
        }
    }

    std::array<std::uint32_t, 16> values_{};
};

bool drops(const TraceStep& step) {
    return !step.matched || step.actions.empty() ||
           (step.actions.size() == 1 && step.actions.front() == "drop");
}

std::string action_words_of(const TraceStep& step, const Names& names) {
    std::string actions;
    for (const std::string& action : step.actions) {
        actions += (actions.empty() ? "" : ",") + action;
    }
    return action_list_words(step.table, step.match, actions, names);
}

std::string quoted_ids(const std::vector<const RuleRow*>& rules) {
    std::string text;
    for (const RuleRow* rule : rules) {
        text += (text.empty() ? "" : " or ") + rule->rule_id;
    }
    return text;
}

std::string_view name_of(policy::RuleLayer layer) {
    return layer == policy::RuleLayer::Admin ? "admin" : "controller";
}

std::string_view name_of(policy::Direction direction) {
    return direction == policy::Direction::Outbound ? "outbound" : "inbound";
}

// One step, told with what the registers say at it.
class StepView {
  public:
    StepView(const TraceStep& step, const Registers& registers, const TraceContext& context)
        : step_(step), registers_(registers), context_(context) {}

    [[nodiscard]] Json::Value json() const {
        Json::Value one;
        one["layer"] = pipeline::layer_name(step_.table);
        one["table"] = step_.table;
        one["priority"] = step_.priority;
        one["cookie"] = number_json(step_.cookie);
        one["match"] = step_.match;
        one["owner"] = owner_words(step_.cookie, context_.names);
        one["condition"] =
            step_.matched ? condition_words(step_.match, context_.names) : "no flow matches";
        one["action"] = action_words_of(step_, context_.names);
        one["passes"] = passes_on(step_.match, step_.actions);
        one["if_longer"] = step_.if_longer;
        if (const Json::Value rule = this->rule(); !rule.isNull()) {
            one["rule"] = rule;
        }
        return one;
    }

    // Null if the step is at no rule of the firewall.
    [[nodiscard]] Json::Value rule() const {
        const auto layer = pipeline::layer_of(step_.table);
        const auto group = layer ? pipeline::rules_in(*layer) : std::nullopt;
        const std::string_view band = pipeline::priority_class(step_.table, step_.priority);
        if (!group || !step_.matched) {
            return {};
        }
        Json::Value rule;
        rule["layer"] = std::string(name_of(group->layer));
        rule["direction"] = std::string(name_of(group->direction));
        rule["action"] = drops(step_) ? "block" : "allow";
        const std::string port = context_.names.port(registers_[Reg::Judged]);
        rule["port"] = port;
        if (band == "default") {
            rule["id"] = "default";
            return rule;
        }
        const auto rows = rules_of_flow(context_.facts, port, step_.table, step_.cookie);
        rule["id"] = rows.empty() ? "?" : quoted_ids(rows);
        if (!rows.empty()) {
            rule["priority"] = Json::Int64{rows.front()->priority};
        }
        return rule;
    }

    // Why the packet ends here.
    [[nodiscard]] Json::Value drop() const {
        Json::Value one;
        one["kind"] = "dropped";
        one["layer"] = pipeline::layer_name(step_.table);
        std::string reason(step_.matched ? pipeline::why_dropped(step_.table, step_.priority)
                                         : std::string_view("no flow matches in its table"));
        const Json::Value rule = this->rule();
        if (!rule.isNull()) {
            one["rule"] = rule;
            const std::string id = rule["id"].asString();
            const std::string layer_words =
                " of the " + rule["layer"].asString() + " layer, port " + rule["port"].asString();
            reason = id == "default" ? "by default: no rule" + layer_words + ", allows it"
                                     : "rule " + id + layer_words;
            one["sentence"] = "dropped by firewall " + rule["direction"].asString() + ", " + reason;
        } else {
            one["sentence"] = "dropped by " + one["layer"].asString() + ": " + reason;
        }
        one["reason"] = reason;
        return one;
    }

  private:
    const TraceStep& step_;
    const Registers& registers_;
    const TraceContext& context_;
};

class Outcomes {
  public:
    explicit Outcomes(const TraceContext& context) : context_(context) {}

    void section(const TraceSection& section, const Trace& trace) {
        registers_.begin(section.flow);
        last_ = nullptr;
        blocking_ = nullptr;
        asked_.clear();
        Registers at_end = registers_;
        for (const TraceStep& step : section.steps) {
            if (step.if_longer || step.bridge != context_.facts.bridge) {
                continue;
            }
            last_ = &step;
            at_end.learn(step.match);
            registers_ = at_end;  // As they are at the last step.
            judge(step);
            at_end.apply(step.actions);
            for (const std::string& action : step.actions) {
                if (action.starts_with("controller(")) {
                    asked_.push_back(action);
                }
            }
        }
        copies_ = last_ != nullptr && drops(*last_) && !replicated_;
        bool goes_on = false;
        for (const Emission& emission : emissions(section.datapath_actions)) {
            goes_on = one(emission, at_end, trace) || goes_on;
        }
        // The switch traces no further than where a packet would wait.
        if (last_ != nullptr && !goes_on && waits(*last_)) {
            agent(at_end);
        } else if (last_ != nullptr && (copies_ || !goes_on)) {
            const bool by_rule = blocking_ != nullptr && ends_in_firewall();
            const TraceStep& end = by_rule ? *blocking_ : *last_;
            list_.append(StepView(end, registers_, context_).drop());
        }
    }

    Json::Value take() { return std::move(list_); }

  private:
    // The tables of rules are called, and come back; what drops the packet then is the next table
    // of the firewall, but who decided it is the rule.
    void judge(const TraceStep& step) {
        const auto layer = pipeline::layer_of(step.table);
        replicated_ = replicated_ || layer == Layer::Replication;
        if (layer && pipeline::rules_in(*layer)) {
            blocking_ = drops(step) ? &step : nullptr;
        }
    }
    [[nodiscard]] static bool waits(const TraceStep& step) {
        return step.table == static_cast<unsigned>(pipeline::Table::Demand) &&
               std::ranges::any_of(step.actions, [](const std::string& action) {
                   return action.starts_with("controller(");
               });
    }
    [[nodiscard]] bool ends_in_firewall() const {
        const auto layer = pipeline::layer_of(last_->table);
        return layer && (*layer == Layer::FirewallOut || *layer == Layer::FirewallIn ||
                         pipeline::rules_in(*layer));
    }

    void add(const char* kind, const std::string& sentence, Json::Value more = {}) {
        more["kind"] = kind;
        more["copy"] = copies_;
        more["sentence"] = copies_ ? "a copy " + sentence : sentence;
        list_.append(std::move(more));
    }

    // Whether the packet itself goes on by it.
    bool one(const Emission& emission, const Registers& at_end, const Trace& trace) {
        switch (emission.kind) {
            case Emission::Kind::Port:
                port(emission.port);
                break;
            case Emission::Kind::Tunnel:
                tunnel(emission);
                break;
            case Emission::Kind::Agent:
                return agent(at_end);
            case Emission::Kind::Decapsulation:
                add("sent", "decapsulated at " + emission.port);
                break;
            case Emission::Kind::Recirculation:
                if (std::ranges::none_of(trace.sections, [&](const TraceSection& section) {
                        return section.recirculation == emission.recirculation;
                    })) {
                    add("unknown", "goes on in the switch, which does not tell how");
                }
                break;
        }
        return true;
    }

    void port(const std::string& name) {
        const SwitchPort* found = context_.ports.by_datapath(name);
        if (found == nullptr) {
            return add("sent", "out by port " + name + " of the datapath");
        }
        const LocalPort* local = found->bridge == context_.facts.bridge
                                     ? context_.facts.port_numbered(found->ofport)
                                     : nullptr;
        Json::Value more;
        more["port"] = local != nullptr ? local->name : found->name;
        if (local == nullptr) {
            return add("sent", "out by " + found->name + " of " + found->bridge, more);
        }
        add("delivered", "delivered to port " + local->name, more);
    }

    void tunnel(const Emission& emission) {
        std::string kind = emission.encapsulation;
        if (const SwitchPort* port = context_.ports.by_datapath(kind)) {
            if (port->type != "vxlan" && port->type != "gre") {
                return this->port(kind);  // A tunnel was set before, for another copy.
            }
            kind = port->type;
        }
        const bool nvgre = kind == "gre";
        const std::uint64_t vsid = nvgre ? emission.key >> kNvgreKeyShift : emission.key;
        Json::Value more;
        more["encapsulation"] = nvgre ? "nvgre" : "vxlan";
        more["vsid"] = number_json(vsid);
        std::string sentence = nvgre ? "encapsulated NVGRE VSID " : "encapsulated VXLAN VNI ";
        sentence += std::to_string(vsid);
        if (emission.source) {
            more["source"] = emission.source->to_string();
            sentence += " from PA " + emission.source->to_string();
        }
        if (emission.target) {
            more["destination"] = emission.target->to_string();
            sentence += " to PA " + emission.target->to_string();
        }
        if (emission.mtu) {
            more["longest_frame"] = number_json(*emission.mtu);
            sentence += " (frames of up to " + std::to_string(*emission.mtu) + " bytes)";
        }
        add("encapsulated", sentence, more);
    }

    bool agent(const Registers& at_end) {
        const std::string asked = asked_.empty() ? "" : asked_.front();
        if (!asked_.empty()) {
            asked_.erase(asked_.begin());
        }
        const std::string word = action_word(asked, context_.names);
        for (const PacketInKind kind : {PacketInKind::Audit, PacketInKind::Learn}) {
            if (word == pipeline::what_is_asked(static_cast<unsigned>(kind))) {
                return false;  // A copy, for the log or to be learned from.
            }
        }
        Json::Value more;
        more["layer"] = last_ == nullptr ? "" : pipeline::layer_name(last_->table);
        const std::uint32_t reason = at_end[Reg::Reason];
        if (reason != 0) {
            const std::string why(pipeline::why_icmp_error(reason));
            more["reason"] = why;
            add("refused", "not sent on: " + why + "; the router tells the sender by ICMP", more);
        } else {
            add("agent", word, more);
        }
        return true;
    }

    const TraceContext& context_;
    Registers registers_;
    const TraceStep* last_ = nullptr;
    const TraceStep* blocking_ = nullptr;  // The rule that blocked last, if one did.
    bool replicated_ = false;  // There are copies from here on, and each is as good as the packet.
    bool copies_ = false;      // What goes out is a copy: the packet itself is dropped.
    std::vector<std::string> asked_;
    Json::Value list_{Json::arrayValue};
};

}  // namespace

std::vector<const RuleRow*> rules_of_flow(const HostFacts& facts, const std::string& port,
                                          unsigned table, std::uint64_t cookie) {
    const auto layer = pipeline::layer_of(table);
    const auto group = layer ? pipeline::rules_in(*layer) : std::nullopt;
    if (!group || !pipeline::owned_by_rule(cookie)) {
        return {};
    }
    const std::string_view type = group->layer == policy::RuleLayer::Admin
                                      ? "RuleWithAdminPriority"
                                      : "RuleWithControllerPriority";
    const std::string_view direction =
        group->direction == policy::Direction::Outbound ? "Outbound" : "Inbound";
    std::vector<const RuleRow*> found;
    const auto [first, last] =
        facts.rule_index.equal_range(std::pair(port, pipeline::tell_in(cookie)));
    for (auto entry = first; entry != last; ++entry) {
        const RuleRow& rule = facts.rules[entry->second];
        if (rule.rule_type == type && rule.direction == direction) {
            found.push_back(&rule);
        }
    }
    return found;
}

std::vector<std::string> judged_ports(const Trace& trace, const HostFacts& facts) {
    std::set<std::string> names;
    for (const TraceSection& section : trace.sections) {
        Registers registers;
        for (const TraceStep& step : section.steps) {
            registers.learn(step.match);
            registers.apply(step.actions);
            if (const LocalPort* port = facts.port_numbered(registers[Reg::Judged])) {
                names.insert(port->name);
            }
        }
    }
    return {names.begin(), names.end()};
}

Json::Value steps_of(const TraceSection& section, const TraceContext& context) {
    Json::Value steps(Json::arrayValue);
    Registers registers;
    registers.begin(section.flow);
    for (const TraceStep& step : section.steps) {
        registers.learn(step.match);
        if (step.bridge == context.facts.bridge) {
            steps.append(StepView(step, registers, context).json());
        }
        registers.apply(step.actions);
    }
    return steps;
}

Json::Value outcomes_of(const Trace& trace, const TraceContext& context) {
    Outcomes outcomes(context);
    for (const TraceSection& section : trace.sections) {
        outcomes.section(section, trace);
    }
    return outcomes.take();
}

Json::Value explain(const Trace& trace, const TraceContext& context) {
    Json::Value result;
    result["steps"] = Json::Value(Json::arrayValue);
    for (const TraceSection& section : trace.sections) {
        for (const Json::Value& step : steps_of(section, context)) {
            result["steps"].append(step);
        }
    }
    result["outcomes"] = outcomes_of(trace, context);
    // What a person asks first: does it arrive anywhere? Copies of what is dropped don't count.
    constexpr std::array kByWeight{"delivered", "encapsulated", "sent",   "agent",
                                   "unknown",   "refused",      "dropped"};
    std::string sentence;
    for (const bool copies : {false, true}) {
        for (const char* kind : kByWeight) {
            for (const Json::Value& outcome : result["outcomes"]) {
                if (outcome["kind"] != kind || (outcome["copy"] == true) != copies) {
                    continue;
                }
                if (!result.isMember("verdict")) {
                    result["verdict"] = kind;
                }
                sentence += (sentence.empty() ? "" : "; ") + outcome["sentence"].asString();
            }
        }
    }
    if (!result.isMember("verdict")) {
        result["verdict"] = "unknown";
        sentence = "the switch's trace does not say";
    }
    result["sentence"] = sentence;
    return result;
}

}  // namespace hnv::cli
