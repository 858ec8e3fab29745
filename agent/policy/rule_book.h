// The ACLs of all ports: which rules are in force, and which of them ports share.
//
// Ports of one tenant often have the same rules, or nearly: they are stated once. Every plugged
// port that needs connection state is in a group, by the smallest hash of its rules' ids, so that
// ports with the same rules are in the same one, and those with nearly the same most likely. Rules
// that all members of a group have are the group's; what else a port has is its own. Both kinds
// hold together. A group's number follows from the rules' ids alone: it is the same after a
// restart, and adding a rule seldom changes it.
//
//   FW_Rules rows ──▶ in force, by port and rank ──▶ counted in the port's group ──▶ common │ own
//
// A rank is all rules of a layer, a direction and a priority: between them no order is given, so
// their flows are compiled together, and each rank of a group, or of a port, is an object.
//
// Cost: of a changed rule, the ranks that it is in and was in, at every port of its group; of a
// port that comes to a group or leaves it, its own rules and the group's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "policy/faults.h"
#include "policy/objects.h"

namespace hnv::policy {

class RuleBook {
  public:
    explicit RuleBook(Faults& faults) : faults_(faults) {}

    // Inserts or changes a row; its port's name is normalized.
    void put(const Uuid& row, RuleSpec spec);
    // The port that had the row.
    std::optional<std::string> remove(const Uuid& row);
    // The port's OpenFlow number, 0 while it has no interface: its rules then take no flows.
    void plug(const std::string& port, std::uint32_t ofport);

    // Works out what changed: the objects whose views may differ. `ports` gets the names of those
    // whose acl() may.
    [[nodiscard]] std::vector<ObjectId> resolve(std::set<std::string>& ports);

    // --- as of the last resolve() ---
    [[nodiscard]] Acl acl(const std::string& port) const;
    // Of an ObjectKind::GroupRules or PortRules.
    [[nodiscard]] std::optional<RulesView> view(const ObjectId& id) const;
    void for_each_object(const std::function<void(const ObjectId&)>& visit) const;
    // A row behind the object.
    [[nodiscard]] std::optional<Uuid> row_of(const ObjectId& id) const;
    // In force, by layer, direction, priority and id.
    [[nodiscard]] std::vector<RuleSpec> in_force(const std::string& port) const;

    [[nodiscard]] std::size_t size() const { return ports_by_row_.size(); }
    // Rows of the port, enabled or not.
    [[nodiscard]] std::size_t count(const std::string& port) const;
    void for_each_row(const std::function<void(const Uuid&)>& visit) const;

  private:
    // The same rule at several ports is kept once: pointers are equal as the rules are.
    using Rule = std::shared_ptr<const RuleSpec>;
    struct RuleLess {
        using is_transparent = void;
        bool operator()(const Rule& a, const Rule& b) const { return *a < *b; }
        bool operator()(const Rule& a, const RuleSpec& b) const { return *a < b; }
        bool operator()(const RuleSpec& a, const Rule& b) const { return a < *b; }
    };
    using Rules = std::vector<Rule>;  // Ascending, each once.
    using Ranks = std::map<RuleRank, Rules>;

    struct Entry {
        Uuid row;
        Rule rule;
        // How many rows of its rank block what this one allows: of equal priority, a Block wins.
        std::size_t beaten_by = 0;
    };
    struct Port {
        std::uint32_t number = 0;
        std::string name;
        std::uint32_t ofport = 0;
        std::unordered_map<Uuid, Entry> rows;
        std::map<RuleRank, std::vector<Entry*>> enabled;
        std::set<RuleRank> touched;
        // As of the last resolve().
        Ranks in_force;
        std::map<std::uint32_t, std::size_t> ids;  // Hashes of the ids in force, how often.
        std::size_t logged = 0;
        Acl acl;
    };
    struct Group {
        std::set<Port*> members;
        std::map<RuleRank, std::unordered_map<const RuleSpec*, std::size_t>> counts;
        std::set<RuleRank> touched;
        bool members_changed = false;
        Ranks common;  // As of the last resolve().
    };

    [[nodiscard]] Port& port_of(const std::string& name);
    [[nodiscard]] const Port* find(const std::string& name) const;
    [[nodiscard]] Rule share(RuleSpec spec);
    void unshare_dropped();
    void enable(Port& port, Entry& entry);
    void disable(Port& port, Entry& entry);
    void weigh(Port& port, Entry& entry, std::ptrdiff_t by);
    void report(const Uuid& row);
    void resolve_rank(Port& port, const RuleRank& rank);
    void resolve_port(Port& port);
    [[nodiscard]] static Acl acl_of(const Port& port);
    void join(Port& port, std::uint32_t group);
    void leave(Port& port, std::uint32_t group);
    void resolve_group(std::uint32_t number, Group& group);
    void touch_all(const Port& port);
    void touch_own(const Port& port, const RuleRank& rank);
    void touch_shared(std::uint32_t group, const RuleRank& rank);
    [[nodiscard]] Rules common_of(const Group& group, const RuleRank& rank) const;
    [[nodiscard]] Rules own_of(const Port& port, const RuleRank& rank) const;

    Faults& faults_;
    std::set<Rule, RuleLess> shared_;
    std::vector<Rule> dropped_;  // By rows; whoever still counts them does until resolve() ends.
    std::unordered_map<std::string, std::unique_ptr<Port>> ports_;
    std::unordered_map<std::uint32_t, Port*> ports_by_number_;
    std::unordered_map<Uuid, Port*> ports_by_row_;
    std::unordered_map<std::uint32_t, Group> groups_;
    std::uint32_t next_number_ = 1;

    // What resolve() has to look at.
    std::unordered_set<Port*> touched_ports_;
    std::unordered_set<std::uint32_t> touched_groups_;
    std::unordered_set<Uuid> touched_rows_;  // Whose fault may have changed.
    std::unordered_set<ObjectId> changed_;
};

}  // namespace hnv::policy
