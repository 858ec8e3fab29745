#include "policy/rule_book.h"

#include <algorithm>
#include <utility>

#include "policy/rule_overlap.h"

namespace hnv::policy {

namespace {

// FNV-1a, folded; never 0, which is no group.
[[nodiscard]] std::uint32_t hash_of(std::string_view id) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    const auto folded = static_cast<std::uint32_t>(hash ^ hash >> 32);
    return folded == 0 ? 1 : folded;
}

[[nodiscard]] RuleRank rank_of(const RuleSpec& rule) {
    return {rule.layer, rule.direction, rule.priority};
}

[[nodiscard]] RuleAction default_action(Direction direction) {
    return direction == Direction::Outbound ? RuleAction::Allow : RuleAction::Block;
}

}  // namespace

RuleBook::Port& RuleBook::port_of(const std::string& name) {
    auto& port = ports_[name];
    if (!port) {
        port = std::make_unique<Port>();
        port->name = name;
        port->number = next_number_++;
        ports_by_number_.emplace(port->number, port.get());
    }
    return *port;
}

const RuleBook::Port* RuleBook::find(const std::string& name) const {
    const auto known = ports_.find(name);
    return known == ports_.end() ? nullptr : known->second.get();
}

RuleBook::Rule RuleBook::share(RuleSpec spec) {
    spec.port.clear();
    const auto known = shared_.find(spec);
    return known != shared_.end()
               ? *known
               : *shared_.insert(std::make_shared<const RuleSpec>(std::move(spec))).first;
}

void RuleBook::unshare_dropped() {
    for (Rule& rule : std::exchange(dropped_, {})) {
        const auto known = shared_.find(rule);
        rule.reset();
        if (known != shared_.end() && known->use_count() == 1) {
            shared_.erase(known);
        }
    }
}

void RuleBook::put(const Uuid& row, RuleSpec spec) {
    const std::string name = spec.port;
    const auto known = ports_by_row_.find(row);
    if (known != ports_by_row_.end()) {
        const auto entry = known->second->rows.find(row);
        RuleSpec before = *entry->second.rule;
        before.port = known->second->name;
        if (before == spec) {
            touched_rows_.insert(row);  // The reader has cleared its fault.
            return;
        }
        remove(row);
    }
    Port& port = port_of(name);
    Entry& entry = port.rows[row];
    entry.row = row;
    entry.rule = share(std::move(spec));
    ports_by_row_.insert_or_assign(row, &port);
    if (entry.rule->enabled) {
        enable(port, entry);
    }
    touched_rows_.insert(row);
    touched_ports_.insert(&port);
}

std::optional<std::string> RuleBook::remove(const Uuid& row) {
    const auto known = ports_by_row_.find(row);
    if (known == ports_by_row_.end()) {
        return std::nullopt;
    }
    Port& port = *known->second;
    ports_by_row_.erase(known);
    const auto entry = port.rows.find(row);
    if (entry->second.rule->enabled) {
        disable(port, entry->second);
    }
    dropped_.push_back(std::move(entry->second.rule));
    port.rows.erase(entry);
    touched_ports_.insert(&port);
    return port.name;
}

void RuleBook::plug(const std::string& name, std::uint32_t ofport) {
    if (ofport == 0 && find(name) == nullptr) {
        return;
    }
    Port& port = port_of(name);
    if (port.ofport != ofport) {
        port.ofport = ofport;
        touch_all(port);
        touched_ports_.insert(&port);
    }
}

void RuleBook::enable(Port& port, Entry& entry) {
    const RuleRank rank = rank_of(*entry.rule);
    weigh(port, entry, 1);
    port.enabled[rank].push_back(&entry);
    port.touched.insert(rank);
}

void RuleBook::disable(Port& port, Entry& entry) {
    const RuleRank rank = rank_of(*entry.rule);
    const auto of_rank = port.enabled.find(rank);
    std::erase(of_rank->second, &entry);
    if (of_rank->second.empty()) {
        port.enabled.erase(of_rank);
    } else {
        weigh(port, entry, -1);
    }
    port.touched.insert(rank);
}

// Among rules of equal priority no order is given: a Block beats each Allow that it overlaps.
// Counts `entry`, which is not in its rank, in or out.
void RuleBook::weigh(Port& port, Entry& entry, std::ptrdiff_t by) {
    const auto of_rank = port.enabled.find(rank_of(*entry.rule));
    if (of_rank == port.enabled.end()) {
        return;
    }
    for (Entry* other : of_rank->second) {
        if (other->rule->action == entry.rule->action || !overlap(*other->rule, *entry.rule)) {
            continue;
        }
        Entry& allow = entry.rule->action == RuleAction::Allow ? entry : *other;
        allow.beaten_by =
            static_cast<std::size_t>(static_cast<std::ptrdiff_t>(allow.beaten_by) + by);
        touched_rows_.insert(allow.row);
    }
}

void RuleBook::report(const Uuid& row) {
    const auto known = ports_by_row_.find(row);
    if (known == ports_by_row_.end()) {
        return;  // Gone, and its faults with it.
    }
    const Port& port = *known->second;
    const Entry& entry = port.rows.at(row);
    std::optional<std::string> beaten;
    if (entry.rule->enabled && entry.beaten_by != 0) {
        const RuleSpec* by = nullptr;  // The first by its id.
        for (const Entry* other : port.enabled.at(rank_of(*entry.rule))) {
            if (other->rule->action == RuleAction::Block && overlap(*other->rule, *entry.rule) &&
                (by == nullptr || other->rule->id < by->id)) {
                by = other->rule.get();
            }
        }
        beaten = "rule " + entry.rule->id + " allows what rule " + (by ? by->id : "") +
                 " blocks at the same priority; give one of them another priority (until then this "
                 "one has no effect)";
    }
    faults_.set({SourceTable::MsFirewallRules, row}, FaultKey::RulePriority, beaten);
}

std::vector<ObjectId> RuleBook::resolve(std::set<std::string>& ports) {
    for (const Uuid& row : std::exchange(touched_rows_, {})) {
        report(row);
    }
    for (Port* port : std::exchange(touched_ports_, {})) {
        resolve_port(*port);
        ports.insert(port->name);
        if (port->rows.empty() && port->ofport == 0) {
            ports_by_number_.erase(port->number);
            ports_.erase(std::string(port->name));
        }
    }
    for (const std::uint32_t number : std::exchange(touched_groups_, {})) {
        const auto group = groups_.find(number);
        if (group != groups_.end()) {
            resolve_group(number, group->second);
            if (group->second.members.empty()) {
                groups_.erase(group);
            }
        }
    }
    unshare_dropped();
    const auto all = std::exchange(changed_, {});
    std::vector<ObjectId> changed(all.begin(), all.end());
    return changed;
}

// What of a rank is in force at the port, and what that changes in its group.
void RuleBook::resolve_rank(Port& port, const RuleRank& rank) {
    Rules now;
    const auto enabled = port.enabled.find(rank);
    if (enabled != port.enabled.end()) {
        for (const Entry* entry : enabled->second) {
            if (entry->beaten_by == 0) {
                now.push_back(entry->rule);
            }
        }
        std::ranges::sort(now, RuleLess{});
        now.erase(std::unique(now.begin(), now.end()), now.end());
    }
    const auto known = port.in_force.find(rank);
    const Rules before = known == port.in_force.end() ? Rules{} : known->second;
    const auto count = [&](const Rules& rules, const Rules& others, int by) {
        for (const Rule& rule : rules) {
            if (std::ranges::binary_search(others, rule, RuleLess{})) {
                continue;
            }
            const std::uint32_t id = hash_of(rule->id);
            port.logged += static_cast<std::size_t>(rule->logged ? by : 0);
            if ((port.ids[id] += static_cast<std::size_t>(by)) == 0) {
                port.ids.erase(id);
            }
            if (port.acl.group != 0) {
                auto& counts = groups_.at(port.acl.group).counts[rank];
                if ((counts[rule.get()] += static_cast<std::size_t>(by)) == 0) {
                    counts.erase(rule.get());
                }
            }
        }
    };
    count(before, now, -1);
    count(now, before, 1);
    if (now.empty()) {
        port.in_force.erase(rank);
    } else {
        port.in_force.insert_or_assign(rank, std::move(now));
    }
    touch_own(port, rank);
    if (port.acl.group != 0) {
        groups_.at(port.acl.group).touched.insert(rank);
        touched_groups_.insert(port.acl.group);
    }
}

void RuleBook::resolve_port(Port& port) {
    for (const RuleRank& rank : std::exchange(port.touched, {})) {
        resolve_rank(port, rank);
    }
    const std::uint32_t before = port.acl.group;
    port.acl = acl_of(port);
    if (port.acl.group != before) {
        if (before != 0) {
            leave(port, before);
        }
        if (port.acl.group != 0) {
            join(port, port.acl.group);
        }
        touch_all(port);
    }
}

// What a port's rules mean as a whole.
Acl RuleBook::acl_of(const Port& port) {
    Acl acl;
    acl.any = !port.in_force.empty();
    for (const RuleLayer layer : {RuleLayer::Admin, RuleLayer::Controller}) {
        const auto first = port.in_force.lower_bound({layer, Direction::Outbound, 0});
        acl.has_layer[static_cast<std::size_t>(layer)] =
            first != port.in_force.end() && first->first.layer == layer;
    }
    // What a layer does with every packet of a direction, if that is one and the same thing.
    const auto constant = [&](RuleLayer layer, Direction direction) -> std::optional<RuleAction> {
        if (!acl.has_layer[static_cast<std::size_t>(layer)]) {
            return RuleAction::Allow;
        }
        const auto first = port.in_force.lower_bound({layer, direction, 0});
        if (first == port.in_force.end() || first->first.layer != layer ||
            first->first.direction != direction) {
            return default_action(direction);
        }
        // Rules of one rank that overlap are all of one action.
        const bool all = std::ranges::any_of(first->second,
                                             [](const Rule& rule) { return rule->matches_all(); });
        return all ? std::optional(first->second.front()->action) : std::nullopt;
    };
    const auto both = [&](Direction direction) -> std::optional<RuleAction> {
        const auto admin = constant(RuleLayer::Admin, direction);
        const auto controller = constant(RuleLayer::Controller, direction);
        if (admin == RuleAction::Block || controller == RuleAction::Block) {
            return RuleAction::Block;
        }
        return admin && controller ? std::optional(RuleAction::Allow) : std::nullopt;
    };
    const auto outbound = both(Direction::Outbound);
    if (port.logged == 0 && outbound && outbound == both(Direction::Inbound)) {
        acl.all = outbound;
    } else if (acl.any && port.ofport != 0) {
        acl.group = port.ids.begin()->first;
    }
    return acl;
}

void RuleBook::join(Port& port, std::uint32_t number) {
    Group& group = groups_[number];
    group.members.insert(&port);
    group.members_changed = true;
    for (const auto& [rank, rules] : port.in_force) {
        auto& counts = group.counts[rank];
        for (const Rule& rule : rules) {
            ++counts[rule.get()];
        }
    }
    touched_groups_.insert(number);
}

void RuleBook::leave(Port& port, std::uint32_t number) {
    Group& group = groups_.at(number);
    group.members.erase(&port);
    group.members_changed = true;
    for (const auto& [rank, rules] : port.in_force) {
        auto& counts = group.counts[rank];
        for (const Rule& rule : rules) {
            if (--counts[rule.get()] == 0) {
                counts.erase(rule.get());
            }
        }
    }
    touched_groups_.insert(number);
}

void RuleBook::resolve_group(std::uint32_t number, Group& group) {
    std::set<RuleRank> ranks = std::exchange(group.touched, {});
    if (std::exchange(group.members_changed, false)) {
        for (const auto& [rank, counts] : group.counts) {
            ranks.insert(rank);
        }
        for (const auto& [rank, rules] : group.common) {
            ranks.insert(rank);
        }
    }
    for (const RuleRank& rank : ranks) {
        const auto counts = group.counts.find(rank);
        if (counts != group.counts.end() && counts->second.empty()) {
            group.counts.erase(counts);
        }
        Rules now = common_of(group, rank);
        const auto known = group.common.find(rank);
        if (known == group.common.end() ? now.empty() : known->second == now) {
            continue;
        }
        if (now.empty()) {
            group.common.erase(known);
        } else {
            group.common.insert_or_assign(rank, std::move(now));
        }
        touch_shared(number, rank);
        for (const Port* member : group.members) {
            touch_own(*member, rank);
        }
    }
}

RuleBook::Rules RuleBook::common_of(const Group& group, const RuleRank& rank) const {
    Rules common;
    const auto counts = group.counts.find(rank);
    if (group.members.empty() || counts == group.counts.end()) {
        return common;
    }
    const Ranks& some = (*group.members.begin())->in_force;
    const auto rules = some.find(rank);
    if (rules != some.end()) {
        std::ranges::copy_if(rules->second, std::back_inserter(common), [&](const Rule& rule) {
            return counts->second.at(rule.get()) == group.members.size();
        });
    }
    return common;
}

RuleBook::Rules RuleBook::own_of(const Port& port, const RuleRank& rank) const {
    const auto rules = port.in_force.find(rank);
    if (port.acl.group == 0 || rules == port.in_force.end()) {
        return {};
    }
    const Group& group = groups_.at(port.acl.group);
    const auto common = group.common.find(rank);
    if (common == group.common.end()) {
        return rules->second;
    }
    Rules own;
    std::ranges::set_difference(rules->second, common->second, std::back_inserter(own), RuleLess{});
    return own;
}

void RuleBook::touch_all(const Port& port) {
    for (const auto& [rank, rules] : port.in_force) {
        touch_own(port, rank);
    }
}

void RuleBook::touch_own(const Port& port, const RuleRank& rank) {
    changed_.insert({ObjectKind::PortRules, port.number, rank.packed()});
}

void RuleBook::touch_shared(std::uint32_t group, const RuleRank& rank) {
    changed_.insert({ObjectKind::GroupRules, group, rank.packed()});
}

Acl RuleBook::acl(const std::string& name) const {
    const Port* port = find(name);
    return port == nullptr ? Acl{} : port->acl;
}

std::optional<RulesView> RuleBook::view(const ObjectId& id) const {
    const RuleRank rank = RuleRank::unpacked(id.detail);
    RulesView view{false, 0, rank, {}};
    if (id.kind == ObjectKind::GroupRules) {
        const auto group = groups_.find(id.owner);
        if (group == groups_.end() || !group->second.common.contains(rank)) {
            return std::nullopt;
        }
        view.shared = true;
        view.set = id.owner;
        view.rules = group->second.common.at(rank);
    } else {
        const auto port = ports_by_number_.find(id.owner);
        if (port == ports_by_number_.end()) {
            return std::nullopt;
        }
        view.set = port->second->ofport;
        view.rules = own_of(*port->second, rank);
    }
    return view.rules.empty() ? std::nullopt : std::optional(std::move(view));
}

void RuleBook::for_each_object(const std::function<void(const ObjectId&)>& visit) const {
    for (const auto& [number, group] : groups_) {
        for (const auto& [rank, rules] : group.common) {
            visit({ObjectKind::GroupRules, number, rank.packed()});
        }
    }
    for (const auto& [name, port] : ports_) {
        for (const auto& [rank, rules] : port->in_force) {
            visit({ObjectKind::PortRules, port->number, rank.packed()});
        }
    }
}

std::optional<Uuid> RuleBook::row_of(const ObjectId& id) const {
    const RuleRank rank = RuleRank::unpacked(id.detail);
    const Port* port = nullptr;
    if (id.kind == ObjectKind::PortRules) {
        const auto known = ports_by_number_.find(id.owner);
        port = known == ports_by_number_.end() ? nullptr : known->second;
    } else if (const auto group = groups_.find(id.owner);
               group != groups_.end() && !group->second.members.empty()) {
        port = *group->second.members.begin();
    }
    if (port == nullptr || !port->enabled.contains(rank)) {
        return std::nullopt;
    }
    return port->enabled.at(rank).front()->row;
}

std::vector<RuleSpec> RuleBook::in_force(const std::string& name) const {
    std::vector<RuleSpec> all;
    const Port* port = find(name);
    if (port != nullptr) {
        for (const auto& [rank, rules] : port->in_force) {
            for (const Rule& rule : rules) {
                all.push_back(*rule);
                all.back().port = name;
            }
        }
    }
    return all;
}

std::size_t RuleBook::count(const std::string& name) const {
    const Port* port = find(name);
    return port == nullptr ? 0 : port->rows.size();
}

void RuleBook::for_each_row(const std::function<void(const Uuid&)>& visit) const {
    for (const auto& [row, port] : ports_by_row_) {
        visit(row);
    }
}

}  // namespace hnv::policy
