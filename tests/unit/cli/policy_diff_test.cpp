// Plans carried out on databases in memory: after one, there is nothing left to do.
#include "cli/policy_diff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "cli/ovsdb_json.h"
#include "cli/ovsdb_session.h"
#include "cli/policy_export.h"
#include "cli/policy_file.h"
#include "fake_database.h"

namespace hnv::cli {
namespace {

using test::FakeDatabase;

// The three databases as the agent makes them at its start.
class Agent {
  public:
    Agent() {
        Json::Value row(Json::objectValue);
        EXPECT_TRUE(host_.transact({insert_operation("Host", row)}));
        EXPECT_TRUE(firewall_.transact({insert_operation("FW_Global", row)}));
        Json::Value global(Json::objectValue);
        global["switches"] = named_uuid_json("chassis");
        EXPECT_TRUE(vtep_.transact({insert_operation("Physical_Switch", row, "chassis"),
                                    insert_operation("Global", global)}));
    }

    HostRows host() { return *read_host_rows(*host_.transact(host_select())); }
    FirewallRows firewall() { return *read_firewall_rows(*firewall_.transact(firewall_select())); }
    VtepRows vtep() { return *read_vtep_rows(*vtep_.transact(vtep_select())); }

    std::vector<Plan> plans(const Policy& policy) {
        return {plan_host(policy, host()), plan_firewall(policy, firewall()),
                plan_vtep(policy, vtep())};
    }

    // As OvsdbSession::execute() does it.
    Status execute(const Plan& plan, std::size_t limit) {
        std::map<std::string, std::string> known;
        for (const Operations& transaction : split_plan(plan, limit)) {
            Operations operations;
            for (const Json::Value& operation : transaction) {
                operations.push_back(with_known_uuids(operation, known));
            }
            const auto results = database(plan.database).transact(operations);
            if (!results) {
                return results.error();
            }
            for (Json::ArrayIndex i = 0; i < operations.size(); ++i) {
                if (operations[i].isMember("uuid-name")) {
                    known[operations[i]["uuid-name"].asString()] = as_uuid((*results)[i]["uuid"]);
                }
            }
        }
        return {};
    }

    void apply(const Policy& policy) {
        for (const Plan& plan : plans(policy)) {
            const auto status = execute(plan, 1'000);
            ASSERT_TRUE(status) << status.error().message();
        }
    }

    bool has_work(const Policy& policy) {
        for (const Plan& plan : plans(policy)) {
            if (!plan.empty()) {
                return true;
            }
        }
        return false;
    }

    ExportedPolicy exported() { return export_policy(host(), firewall(), vtep()); }

    FakeDatabase& database(std::string_view name) {
        return name == kHostDatabase ? host_ : name == kFirewallDatabase ? firewall_ : vtep_;
    }

    void set_state(const std::string& port_uuid, const std::string& state) {
        Json::Value row(Json::objectValue);
        row["status"] = map_json(std::map<std::string, std::string>{{"state", state}});
        EXPECT_TRUE(vtep_.transact({update_operation("Physical_Port", port_uuid, row)}));
    }

  private:
    FakeDatabase host_{"hnv_host"};
    FakeDatabase firewall_{"ms_firewall"};
    FakeDatabase vtep_{"ms_vtep"};
};

Policy parsed(const std::string& text) {
    auto result = parse_policy(text);
    EXPECT_TRUE(result) << result.error().message();
    return result->policy;
}

Policy two_tenants() {
    return parsed(R"({"version": 1,
        "provider_addresses": [{"address": "192.168.1.10/24"}],
        "virtual_networks": [
            {"id": "contoso", "subnets": [{"vsid": 5001, "prefix": "10.1.1.0/24"}]},
            {"id": "fabrikam", "subnets": [{"vsid": 6001, "prefix": "10.1.1.0/24",
                                            "gateway": "10.1.1.254"}]}],
        "mappings": [
            {"vsid": 5001, "ca": "10.1.1.11", "mac": "00:15:5d:50:01:0b", "pa": "192.168.1.10"},
            {"vsid": 6001, "ca": "10.1.1.11", "mac": "00:15:5d:60:01:0b", "pa": "192.168.1.10"}],
        "ports": [{"name": "contoso-sql", "vsid": 5001},
                  {"name": "fabrikam-sql", "vsid": 6001, "settings": {"flow_limit": 9}}],
        "acls": [{"port": "contoso-sql", "id": "in", "direction": "inbound", "action": "allow",
                  "priority": 100}]})");
}

std::vector<std::string> summaries(Agent& agent, const Policy& policy) {
    std::vector<std::string> texts;
    for (const Plan& plan : agent.plans(policy)) {
        texts.push_back(summary(plan.counts));
    }
    return texts;
}

TEST(PolicyDiff, LoadsIntoEmptyDatabasesOnce) {
    Agent agent;
    const Policy policy = two_tenants();
    EXPECT_EQ(summaries(agent, policy),
              (std::vector<std::string>{"+1 provider address, +1 port setting", "+1 rule",
                                        "+2 subnets, +2 virtual networks, +2 mappings, +2 ports"}));
    agent.apply(policy);
    EXPECT_FALSE(agent.has_work(policy));
    EXPECT_EQ(agent.database(kVtepDatabase).row_count("Physical_Locator"), 1U);
}

TEST(PolicyDiff, WritesWhatTheContractSays) {
    Agent agent;
    agent.apply(two_tenants());
    const VtepRows rows = agent.vtep();
    ASSERT_EQ(rows.switches.size(), 2U);
    EXPECT_EQ(rows.switches[0].name, "5001");
    EXPECT_EQ(rows.switches[0].description, "contoso");
    EXPECT_EQ(rows.switches[0].tunnel_key, 5001);
    ASSERT_EQ(rows.routers.size(), 2U);
    EXPECT_TRUE(rows.routers[0].enabled);
    EXPECT_EQ(rows.routers[0].switch_binding[0].first, "10.1.1.0/24");
    EXPECT_EQ(rows.routers[1].switch_binding[0].first, "10.1.1.254/24");
    EXPECT_EQ(rows.locators[0].encapsulation_type, "vxlan_over_ipv4");
    const FirewallRows rules = agent.firewall();
    ASSERT_EQ(rules.rules.size(), 1U);
    EXPECT_EQ(rules.rules[0].rule_type, "RuleWithControllerPriority");
    EXPECT_EQ(rules.rules[0].rule_state, "Enabled");
}

TEST(PolicyDiff, ChangesWhatChangedAndNothingElse) {
    Agent agent;
    Policy policy = two_tenants();
    agent.apply(policy);
    policy.mappings[0].pa = *IpAddress::parse("192.168.2.20");
    policy.mappings[1].mac = *MacAddress::parse("00:15:5d:60:01:ff");
    policy.acls[0].priority = 50;
    policy.provider_addresses[0].uplink = "eth1";
    EXPECT_EQ(summaries(agent, policy),
              (std::vector<std::string>{"~1 provider address", "~1 rule", "~2 mappings"}));
    agent.apply(policy);
    EXPECT_FALSE(agent.has_work(policy));
}

TEST(PolicyDiff, AnImmutableMappingTypeIsChangedByReplacement) {
    Agent agent;
    Policy policy = two_tenants();
    agent.apply(policy);
    policy.mappings[0].type = MappingType::LearningDisabled;
    const Plan plan = plan_vtep(policy, agent.vtep());
    ASSERT_EQ(plan.groups.size(), 1U);  // Never without the mapping in between.
    EXPECT_EQ(summary(plan.counts), "+1 mapping, -1 mapping");
    agent.apply(policy);
    EXPECT_FALSE(agent.has_work(policy));
}

TEST(PolicyDiff, OtherSpellingsOfAValueAreNoChange) {
    Agent agent;
    const Policy policy = two_tenants();
    agent.apply(policy);
    Json::Value row(Json::objectValue);
    row["MAC"] = "00-15-5D-50-01-0B";
    const auto mappings = agent.vtep().mappings;
    ASSERT_EQ(mappings[0].mac, "00:15:5d:50:01:0b");
    ASSERT_TRUE(agent.database(kVtepDatabase)
                    .transact({update_operation("Ucast_Macs_Remote", mappings[0].uuid, row)}));
    EXPECT_FALSE(agent.has_work(policy));
}

TEST(PolicyDiff, AnEmptyPolicyTakesEverythingAwayButTheAgentsPorts) {
    Agent agent;
    agent.apply(two_tenants());
    for (const PortRow& port : agent.vtep().ports) {
        agent.set_state(port.uuid, port.name == "contoso-sql" ? "active" : "unplugged");
    }
    // The agent publishes local endpoints; they must not hold the subnet.
    const VtepRows rows = agent.vtep();
    Json::Value local(Json::objectValue);
    local["logical_switch"] = uuid_json(rows.switches[0].uuid);
    local["locator"] = uuid_json(rows.locators[0].uuid);
    ASSERT_TRUE(
        agent.database(kVtepDatabase).transact({insert_operation("Ucast_Macs_Local", local)}));

    const Policy nothing;
    agent.apply(nothing);
    EXPECT_FALSE(agent.has_work(nothing));
    const VtepRows left = agent.vtep();
    EXPECT_TRUE(left.switches.empty());
    EXPECT_TRUE(left.locators.empty());
    ASSERT_EQ(left.ports.size(), 1U);
    EXPECT_EQ(left.ports[0].name, "contoso-sql");
    EXPECT_TRUE(left.ports[0].vlan_bindings.empty());
}

TEST(PolicyDiff, APortThatTheAgentMadeIsTakenOver) {
    Agent agent;
    Json::Value row(Json::objectValue);
    row["name"] = "{0B0A6A8C-7A0B-4F0E-9C8B-2F1D5C3E4A01}";
    ASSERT_TRUE(agent.database(kVtepDatabase)
                    .transact({insert_operation("Physical_Port", row, "port"),
                               mutate_operation("Physical_Switch", agent.vtep().chassis.uuid,
                                                "ports", "insert", named_uuid_json("port"))}));
    Policy policy = two_tenants();
    policy.ports[0].name = "0b0a6a8c-7a0b-4f0e-9c8b-2f1d5c3e4a01";
    agent.apply(policy);
    EXPECT_FALSE(agent.has_work(policy));
    EXPECT_EQ(agent.vtep().ports.size(), 2U);
}

TEST(PolicyDiff, ANameMayMoveToAnotherVsid) {
    Agent agent;
    Policy policy = two_tenants();
    agent.apply(policy);
    policy.virtual_networks[0].subnets[0].name = "6001";
    policy.virtual_networks[1].subnets[0].name = "5001";
    agent.apply(policy);
    EXPECT_FALSE(agent.has_work(policy));
}

// Draws policies from small sets of names and addresses, so that consecutive ones clash a lot.
class RandomPolicies {
  public:
    explicit RandomPolicies(unsigned seed) : random_(seed) {}

    int pick(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }
    bool chance(int percent) { return pick(100) < percent; }

    Policy draw() {
        Policy policy;
        if (chance(30)) {
            policy.distributed_router_mac = MacAddress::from_bits(0x020000000000U + index(3));
        }
        draw_addresses(policy);
        draw_networks(policy);
        draw_mappings(policy);
        draw_ports(policy);
        return policy;
    }

  private:
    unsigned index(int count) { return static_cast<unsigned>(pick(count)); }

    void draw_addresses(Policy& policy) {
        for (unsigned i = 0; i < 3; ++i) {
            if (chance(50)) {
                ProviderAddress item;
                item.address = {IpAddress::from_v4(0xc0a80100U + i), 24};
                if (chance(50)) {
                    item.gateway = IpAddress::from_v4(0xc0a801feU);
                    item.vlan = 11 + pick(2);
                }
                policy.provider_addresses.push_back(item);
            }
        }
    }

    void draw_networks(Policy& policy) {
        std::vector<std::string> names{"a", "b", "c", "d", "5000", "5001"};
        std::shuffle(names.begin(), names.end(), random_);
        for (const char* id : {"net-a", "net-b", "net-c"}) {
            if (chance(75)) {
                policy.virtual_networks.push_back({id, chance(50) ? "text" : "", chance(80), {}});
            }
        }
        for (int i = 0; i < 6 && !policy.virtual_networks.empty(); ++i) {
            if (!chance(60)) {
                continue;
            }
            Subnet subnet{5000 + i, names[static_cast<std::size_t>(i)], {}};
            if (chance(80)) {
                const auto base = 0x0a000000U + (static_cast<unsigned>(i) << 8);
                subnet.bindings.push_back({{IpAddress::from_v4(base), 24}, std::nullopt});
                if (chance(40)) {
                    subnet.bindings[0].gateway = IpAddress::from_v4(base + 254);
                }
            }
            vsids_.push_back(subnet.vsid);
            auto& networks = policy.virtual_networks;
            networks[index(static_cast<int>(networks.size()))].subnets.push_back(subnet);
        }
    }

    std::int64_t vsid() { return vsids_[index(static_cast<int>(vsids_.size()))]; }

    void draw_mappings(Policy& policy) {
        std::set<Mapping> drawn;
        for (int i = pick(40); i > 0 && !vsids_.empty(); --i) {
            Mapping item{vsid(),
                         std::nullopt,
                         MacAddress::from_bits(0x020000000010U + index(4)),
                         IpAddress::from_v4(0xac100001U + index(5)),
                         chance(80) ? Encapsulation::Vxlan : Encapsulation::Nvgre,
                         static_cast<MappingType>(pick(3))};
            if (chance(90)) {
                item.ca = IpAddress::from_v4(0x0a000001U + index(6));
            }
            drawn.insert(item);
        }
        policy.mappings.assign(drawn.begin(), drawn.end());
    }

    void draw_ports(Policy& policy) {
        for (const char* name : {"p1", "p2", "p3", "p4"}) {
            Port port{name, std::nullopt, {}, std::nullopt};
            if (!vsids_.empty() && chance(60)) {
                port.vlan_to_vsid[pick(2) * 100] = vsid();
                if (chance(50)) {
                    port.description = "text";
                }
            }
            if (chance(50)) {
                port.settings.emplace().flow_limit = pick(3);
            }
            if (!port.vlan_to_vsid.empty() || port.settings) {
                policy.ports.push_back(port);
            }
            for (const char* id : {"r1", "r2"}) {
                if (chance(40)) {
                    Acl acl;
                    acl.port = name;
                    acl.id = id;
                    acl.priority = pick(3);
                    acl.enabled = chance(80);
                    policy.acls.push_back(acl);
                }
            }
        }
        vsids_.clear();
    }

    std::mt19937 random_;
    std::vector<std::int64_t> vsids_;
};

// Small transactions may trip over a locator that went in between; a new look then helps, and
// every attempt gets further. hnvctl does the same.
void apply_in_small_steps(Agent& agent, const Policy& policy, std::size_t limit) {
    for (int attempt = 0; attempt < 50 && agent.has_work(policy); ++attempt) {
        for (const Plan& plan : agent.plans(policy)) {
            (void)agent.execute(plan, limit);
        }
    }
}

class RandomSequences : public testing::TestWithParam<unsigned> {};

TEST_P(RandomSequences, EndInThePolicyWhateverWasThere) {
    RandomPolicies policies(GetParam());
    Agent agent;
    for (int step = 0; step < 25; ++step) {
        const Policy policy = policies.draw();
        if (policies.chance(70)) {
            agent.apply(policy);
        } else {
            apply_in_small_steps(agent, policy, 12);
        }
        ASSERT_FALSE(agent.has_work(policy)) << write_policy(policy);

        const ExportedPolicy exported = agent.exported();
        EXPECT_TRUE(exported.omitted.empty());
        EXPECT_FALSE(agent.has_work(exported.policy)) << write_policy(exported.policy);
        const auto again = parse_policy(write_policy(exported.policy));
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(again->policy, exported.policy);

        for (const PortRow& port : agent.vtep().ports) {
            agent.set_state(port.uuid, policies.chance(50) ? "active" : "unplugged");
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomSequences, testing::Range(1U, 21U));

}  // namespace
}  // namespace hnv::cli
