// The model's own records: specs, tied to what they refer to. Private to policy/.
//
// A record exists as soon as anything refers to it; `spec` is empty until its row arrives, and
// after its row has gone. Records of mappings are linked into the lists of their subnet in order of
// arrival: the first of a list is the one in force, the others are in conflict with it until it
// goes. So a row that is in error never disturbs one that was there before.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "policy/objects.h"
#include "policy/specs.h"

namespace hnv::policy {

struct SubnetRecord;
struct PortRecord;

// Rows that claim one and the same thing, in order of arrival: the first is in force, the others
// wait until it goes.
template <typename Spec>
class Claims {
  public:
    void put(const Uuid& row, Spec spec) {
        for (auto& [known, value] : rows_) {
            if (known == row) {
                value = std::move(spec);
                return;
            }
        }
        rows_.emplace_back(row, std::move(spec));
    }
    void remove(const Uuid& row) {
        std::erase_if(rows_, [&row](const auto& claim) { return claim.first == row; });
    }
    // Those that `better` holds for go before the others.
    template <typename Better>
    void prefer(Better better) {
        std::stable_partition(rows_.begin(), rows_.end(),
                              [&better](const auto& claim) { return better(claim.second); });
    }
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    [[nodiscard]] const std::vector<std::pair<Uuid, Spec>>& all() const { return rows_; }
    // Of the claim in force; null when there is none.
    [[nodiscard]] const Spec* spec() const { return empty() ? nullptr : &rows_.front().second; }
    [[nodiscard]] std::optional<Uuid> row() const {
        return empty() ? std::nullopt : std::optional(rows_.front().first);
    }

  private:
    std::vector<std::pair<Uuid, Spec>> rows_;
};

struct LocatorRecord {
    std::uint32_t number = 0;
    Uuid row;
    std::optional<LocatorSpec> spec;
    std::size_t uses = 0;  // Mappings that refer to it, and groups.
};

// A MAC that a port of hardware_vtep has shown.
struct LearnedRecord {
    PortRecord* port = nullptr;
    std::uint16_t vlan = 0;
    std::optional<IpAddress> v4;
    std::optional<IpAddress> v6;
};

// What of a subnet names a locator.
struct LocatorUse {
    std::size_t mappings = 0;
    std::size_t groups = 0;
    [[nodiscard]] bool none() const { return mappings == 0 && groups == 0; }
};

struct LocatorSetRecord {
    std::optional<LocatorSetSpec> spec;
    std::multiset<SubnetRecord*> users;  // Once for each group in force that names it.
};

struct MappingRecord {
    Uuid row;
    MacAddress mac;
    MappingType type{};
    std::optional<IpAddress> ca;
    SubnetRecord* subnet = nullptr;
    LocatorRecord* locator = nullptr;
    LocatorRecord* counted = nullptr;  // `locator`, if the row was in force at the last commit.
    MappingRecord* next_of_mac = nullptr;
    MappingRecord* next_of_ca = nullptr;
};

struct RouterRecord {
    std::uint32_t number = 0;
    Uuid row;
    RouterSpec spec;
    // Of its routes and its subnets', as of the last commit: what makes a CA matter to the router.
    std::set<IpAddress> next_hops;
};

// A row of IP_Addresses.
struct AdapterAddressRecord {
    std::uint32_t number = 0;  // Of two that claim one address the lower was first.
    std::optional<AdapterAddressSpec> spec;
    std::set<PortRecord*> users;  // Ports whose adapter in force names it.
};

struct SubnetRecord {
    std::uint32_t number = 0;
    Uuid row;
    std::optional<SubnetSpec> spec;
    bool in_force = false;  // Has a spec, and is the first with its VSID.
    // Mappings in this subnet, and how many of them name each locator.
    std::unordered_map<MacAddress, MappingRecord*> by_mac;
    std::unordered_map<IpAddress, MappingRecord*> by_ca;
    std::map<std::uint32_t, LocatorUse> locators;
    std::size_t mappings = 0;
    // As of the last commit: whether remote MACs have their flows on demand, and which have.
    bool on_demand = false;
    std::unordered_set<MacAddress> demanded;
    // Addresses that are shared, and their numbers.
    std::map<IpAddress, std::uint32_t> vips;
    std::unordered_map<std::uint32_t, IpAddress> vips_by_number;
    // Rows of Mcast_Macs_Remote, by group: the locator sets that they name.
    std::map<std::optional<MacAddress>, Claims<Uuid>> groups;
    // Of the groups in force, as of the last commit.
    std::vector<Uuid> group_sets;
    std::vector<LocatorRecord*> group_locators;
    // Ports bound to it.
    std::set<PortRecord*> ports;
    // The routers that bind it, and with which prefixes.
    Claims<std::vector<IpPrefix>> bindings;
    // The gateways that the neighbour table answers for.
    std::set<IpAddress> gateways;
    // The router's link-local address, if it is a router of IPv6: answered for as well.
    std::optional<IpAddress> link_local;
    // The addresses that adapters of its ports here claim. Of each the first claim counts, by the
    // numbers of the row and of the port.
    std::map<IpAddress, std::map<std::pair<std::uint32_t, std::uint32_t>, PortRecord*>> adapter_cas;
    // MACs that its ports of hardware_vtep have shown, and whose the addresses are.
    std::unordered_map<MacAddress, LearnedRecord> learned;
    std::map<IpAddress, MacAddress> learned_cas;
    // As of the last commit.
    bool routed = false;
    NetworkKey network = 0;
};

struct AclEntryRecord {
    std::optional<AclEntrySpec> spec;
    std::set<Uuid> acls;  // Those that name it.
};

struct AclRecord {
    std::optional<AclSpec> spec;
    std::set<PortRecord*> ports;  // Those that it is bound to.
};

struct PortRecord {
    std::uint32_t number = 0;
    std::string name;
    Claims<PortSpec> specs;
    std::optional<InterfaceSpec> interface;
    Claims<PortSettingsSpec> settings;
    Claims<NatSpec> nats;  // All of them, in order of arrival; see model_nat.cpp.
    std::map<Uuid, std::string> nat_problems;
    std::map<Uuid, ServiceRuleSpec> services;
    Claims<AdapterSpec> adapters;
    // Of a port that is plugged: what its adapter says, else its interface.
    std::optional<MacAddress> attached_mac;
    // Derived.
    std::map<Uuid, AdapterAddressRecord*> addresses;  // Of the adapter in force.
    std::set<std::tuple<SubnetRecord*, IpAddress, std::uint32_t>> claims;  // In adapter_cas.
    std::map<std::uint16_t, SubnetRecord*> subnets;                        // By VLAN.
    std::map<std::uint16_t, Uuid> acls;   // By VLAN; 0: of all others.
    std::optional<MacAddress> bound_mac;  // `attached_mac` when it was bound to them.
    PortStatus status;
    std::optional<PortView> view;
    std::optional<ServiceView> service_view;

    std::size_t rules = 0;  // Rows of its ACL.
    std::set<std::pair<SubnetRecord*, MacAddress>> learned;
    std::uint32_t learning_ofport = 0;  // By which learning knows it; 0: it does not.

    [[nodiscard]] bool unused() const {
        return specs.empty() && !interface && settings.empty() && rules == 0 && nats.empty() &&
               services.empty() && adapters.empty();
    }
};

// The rows of SI_Rule, by what they refer to besides their own port.
struct ServiceIndex {
    std::unordered_map<Uuid, std::string> ports;  // Row → the port's name.
    std::set<std::pair<std::string, Uuid>> analyzers;
    std::set<std::pair<std::uint32_t, Uuid>> keys;
    std::set<std::pair<IpAddress, Uuid>> next_hops;
};

}  // namespace hnv::policy
