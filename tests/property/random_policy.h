// Random changes of a policy over a small domain, so that rows meet each other often.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::test {

// Of the environment variable HNV_SEED, else a new one.
[[nodiscard]] std::uint64_t seed();

enum class Collisions : std::uint8_t {
    None,     // Whatever the order of arrival, the rows mean the same.
    Allowed,  // Rows claim each other's VSIDs, MACs, addresses, subnets and ports.
};

// The rows that there are, and a model to which they were given one by one. References may dangle,
// but for those to locators: these come and go with the mappings that name them.
class RandomPolicy {
  public:
    RandomPolicy(std::uint64_t seed, Collisions collisions)
        : random_(seed), collisions_(collisions) {}

    // One random change of one row, or of what the host reports.
    void change(policy::Model& model);
    // Removes all rows and interfaces in a random order.
    void clear(policy::Model& model);
    // Gives all rows that there are to a new model, in a random order.
    void build(policy::Model& model);

    // What NeighbourTable should hold, by first principles; for Collisions::None.
    [[nodiscard]] std::map<std::pair<std::uint32_t, IpAddress>, MacAddress> neighbours() const;

    [[nodiscard]] std::uint32_t below(std::uint32_t limit) {
        return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
    }

  private:
    [[nodiscard]] bool chance(std::uint32_t percent) { return below(100) < percent; }
    // A value of row `row`'s own, or of anyone's.
    [[nodiscard]] std::uint32_t pick(std::uint32_t row, std::uint32_t own, std::uint32_t all) {
        return collisions_ == Collisions::None ? row * own + below(own) : below(all);
    }
    template <typename Spec>
    void put(policy::Model& model, std::map<std::uint32_t, Spec>& rows, std::uint32_t row,
             Spec spec) {
        model.put(uuid(row), spec);
        rows.insert_or_assign(row, std::move(spec));
    }
    template <typename Spec>
    void remove(policy::Model& model, std::map<std::uint32_t, Spec>& rows,
                policy::SourceTable table, std::uint32_t row) {
        model.remove({table, uuid(row)});
        rows.erase(row);
    }

    void change_subnet(policy::Model& model);
    [[nodiscard]] std::vector<policy::StaticRoute> static_routes();
    void change_router(policy::Model& model);
    void change_mapping(policy::Model& model);
    void change_group(policy::Model& model);
    void change_port(policy::Model& model);
    void change_learned(policy::Model& model);
    void change_settings(policy::Model& model);
    void change_adapter(policy::Model& model);
    void change_rule(policy::Model& model);
    void change_nat(policy::Model& model);
    void change_service(policy::Model& model);
    void change_provider_address(policy::Model& model);
    void change_host(policy::Model& model);
    void drop_unused_locators(policy::Model& model);
    void drop_unused_sets(policy::Model& model);
    [[nodiscard]] policy::RuleSpec random_rule(std::uint32_t row);
    [[nodiscard]] policy::MirrorSourceSpec random_mirror();

    std::mt19937_64 random_;
    Collisions collisions_;
    std::map<std::uint32_t, policy::SubnetSpec> subnets_;
    std::map<std::uint32_t, policy::RouterSpec> routers_;
    std::map<std::uint32_t, policy::LocatorSpec> locators_;
    std::map<std::uint32_t, policy::MappingSpec> mappings_;
    std::map<std::uint32_t, policy::LocatorSetSpec> locator_sets_;
    std::map<std::uint32_t, policy::GroupSpec> groups_;
    std::map<std::uint32_t, policy::PortSpec> ports_;
    std::map<std::uint32_t, policy::PortSettingsSpec> settings_;
    std::map<std::uint32_t, policy::AdapterSpec> adapters_;
    std::map<std::uint32_t, policy::AdapterAddressSpec> adapter_addresses_;
    std::map<std::uint32_t, policy::RuleSpec> rules_;
    std::map<std::uint32_t, policy::NatSpec> nats_;
    std::map<std::uint32_t, policy::ServiceRuleSpec> services_;
    std::map<std::uint32_t, policy::ProviderAddressSpec> provider_addresses_;
    std::vector<policy::InterfaceSpec> interfaces_;
    policy::TunnelPorts tunnels_;
    std::vector<policy::CarriedAddress> carried_;
    std::vector<std::uint32_t> bfd_ofports_;
    std::set<IpAddress> unreachable_;
    MacAddress router_mac_ = policy::Model::kDefaultRouterMac;
};

}  // namespace hnv::test
