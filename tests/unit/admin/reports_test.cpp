// What a person is told, from the parts of an agent that has no switch.
#include "admin/reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ovs-integration/openflow_connection.h"
#include "support/policy_builder.h"

namespace hnv::admin {
namespace {

using policy::SourceTable;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ReportsTest : public testing::Test {
  protected:
    ReportsTest() {
        std::string name = std::filesystem::temp_directory_path() / "hnv-reports-XXXXXX";
        directory_ = mkdtemp(name.data());
        for (const char* database : {"hnv_host", "ms_vtep"}) {
            std::ostringstream schema;
            schema << std::ifstream(std::string(HNV_SOURCE_DIR "/schema/") + database +
                                    ".ovsschema")
                          .rdbuf();
            const Status opened = server_.open(schema.str(), directory_ + "/" + database + ".db");
            EXPECT_TRUE(opened) << opened.error().message();
        }
    }
    ~ReportsTest() override { std::filesystem::remove_all(directory_); }

    std::string socket() const { return "unix:" + directory_ + "/no.mgmt"; }
    // Contoso's SQL here and its Web elsewhere.
    void deploy() {
        policy_.provider_address(1, "192.168.1.10/24");
        policy_.subnet(10, 5001);
        policy_.router(11, {{"10.1.1.0/24", 10}});
        policy_.locator(20, "192.168.1.10");
        policy_.locator(21, "192.168.2.20", policy::Encapsulation::Nvgre);
        policy_.mapping(30, 10, 20, 0x155d50010b, "10.1.1.11");
        policy_.mapping(31, 10, 21, 0x155d50010c, "10.1.1.12");
        policy_.mapping(32, 10, 21, 0x155d50010d, "", policy::MappingType::LearningDisabled);
        policy_.port(40, "sql", 10);
        policy_.allow_all(50, "sql");
        policy_.model.set_interfaces({test::plug("sql", 7, 0x155d50010b)});
        (void)policy_.commit();
        addresses_.push_back({test::uuid(1), test::ip("192.168.1.10"), true, "br-pa", 1});
    }
    std::vector<std::string> problems() const {
        std::vector<std::string> texts;
        const Json::Value status = reports_.status();
        for (const Json::Value& problem : status["problems"]) {
            texts.push_back(problem.asString());
        }
        return texts;
    }

    std::string directory_;
    test::PolicyBuilder policy_;
    ovs::OvsdbServer server_;
    northbound::Sequences sequences_{server_};
    ovs::OpenFlowConnection connection_{socket(), "test"};
    southbound::Southbound southbound_{connection_,
                                       [](const policy::ObjectId&) { return pipeline::FlowSet{}; }};
    responder::Responder responder_{socket(), policy_.neighbours, policy_.model.leases()};
    policy::PortNames names_;
    audit::AuditLog audit_log_{socket(), names_, directory_ + "/audit.log"};
    underlay::Underlay underlay_{{"unix:" + directory_ + "/no.sock", "br-test", "netdev", ""}};
    std::vector<northbound::ProviderAddressStatus> addresses_;
    std::map<policy::ObjectId, std::string> refused_;
    Reports reports_{Sources{policy_.model, policy_.faults, southbound_, responder_, audit_log_,
                             underlay_, sequences_, server_, addresses_, refused_, "host1",
                             "br-test", "/run/ovs", "9.9", std::chrono::steady_clock::now()}};
};

TEST_F(ReportsTest, TheStatusNamesTheAgentAndItsParts) {
    deploy();
    const Json::Value status = reports_.status();
    EXPECT_EQ(status["name"], "host1");
    EXPECT_EQ(status["version"], "9.9");
    EXPECT_EQ(status["pid"].asInt64(), getpid());
    EXPECT_GE(status["uptime_s"].asInt64(), 0);
    EXPECT_EQ(status["switch"]["bridge"], "br-test");
    EXPECT_EQ(status["switch"]["run_dir"], "/run/ovs");
    EXPECT_FALSE(status["switch"]["connected"].asBool());
    EXPECT_EQ(status["policy"]["virtual_networks"].asUInt(), 1U);
    EXPECT_EQ(status["policy"]["subnets"].asUInt(), 1U);
    EXPECT_EQ(status["policy"]["mappings"].asUInt(), 3U);
    EXPECT_EQ(status["policy"]["ports_active"].asUInt(), 1U);
    EXPECT_EQ(status["policy"]["rules"].asUInt(), 2U);
    ASSERT_EQ(status["databases"].size(), 2U);
    EXPECT_EQ(status["databases"][1]["name"], "ms_vtep");
    EXPECT_EQ(status["databases"][1]["version"], "1.1.1");
    for (const char* part : {"arp", "nd", "icmp_errors", "responder", "audit_log", "server"}) {
        EXPECT_TRUE(status[part].isObject()) << part;
    }
}

TEST(Reports, EachCounterOfTheAuditLogHasItsPlace) {
    Json::Value status;
    add_audit_log(status,
                  {.written = 1, .suppressed = 2, .dropped = 3, .errors = 4, .malformed = 5});
    const Json::Value& counters = status["audit_log"];
    EXPECT_EQ(counters["written"].asUInt(), 1U);
    EXPECT_EQ(counters["suppressed"].asUInt(), 2U);
    EXPECT_EQ(counters["dropped"].asUInt(), 3U);
    EXPECT_EQ(counters["errors"].asUInt(), 4U);
    EXPECT_EQ(counters["malformed"].asUInt(), 5U);
}

TEST(Reports, EachCounterOfTheServerHasItsPlace) {
    Json::Value status;
    add_server(status, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    const Json::Value& counters = status["server"];
    EXPECT_EQ(counters["clients"].asUInt(), 1U);
    EXPECT_EQ(counters["clients_refused"].asUInt(), 2U);
    EXPECT_EQ(counters["clients_stalled"].asUInt(), 3U);
    EXPECT_EQ(counters["untrusted"].asUInt(), 4U);
    EXPECT_EQ(counters["messages_refused"].asUInt(), 5U);
    EXPECT_EQ(counters["monitors_refused"].asUInt(), 6U);
    EXPECT_EQ(counters["waits_refused"].asUInt(), 7U);
    EXPECT_EQ(counters["locks_refused"].asUInt(), 8U);
    EXPECT_EQ(counters["permissions_refused"].asUInt(), 9U);
}

TEST(Reports, EachCounterOfTheResponderHasItsPlace) {
    const responder::Counters counters{.arp = {1, 2, 3, 4, 5},
                                       .nd = {6, 7, 8, 9, 10},
                                       .icmp_errors = {11, 12, 13, 14, 15, 16, 17},
                                       .unexpected = 18,
                                       .refused = 19,
                                       .dhcp = {20, 21, 22, 23, 24, 25, 26, 27},
                                       .dhcpv6 = {30, 31, 32, 33, 34, 35, 36, 37},
                                       .router_advertisements = {40, 41, 42, 43, 44, 45, 46, 47}};
    Json::Value status;
    add_responder(status, counters);
    const auto has = [&status](const char* part, const char* counter, unsigned value) {
        EXPECT_EQ(status[part][counter].asUInt(), value) << part << " " << counter;
    };
    has("arp", "answered", 1);
    has("arp", "missed", 2);
    has("arp", "own_address", 3);
    has("arp", "malformed", 4);
    has("arp", "limited", 5);
    has("nd", "answered", 6);
    has("nd", "missed", 7);
    has("nd", "own_address", 8);
    has("nd", "malformed", 9);
    has("nd", "limited", 10);
    has("icmp_errors", "ttl_expired", 11);
    has("icmp_errors", "no_route", 12);
    has("icmp_errors", "host_unknown", 13);
    has("icmp_errors", "too_big", 14);
    has("icmp_errors", "suppressed", 15);
    has("icmp_errors", "malformed", 16);
    has("icmp_errors", "limited", 17);
    has("responder", "unexpected", 18);
    has("responder", "refused", 19);
    for (const auto& [part, first] : {std::pair("dhcp", 20U), std::pair("dhcpv6", 30U)}) {
        has(part, "answered", first);
        has(part, "denied", first + 1);
        has(part, "declined", first + 2);
        has(part, "released", first + 3);
        has(part, "ignored", first + 4);
        has(part, "malformed", first + 5);
        has(part, "limited", first + 6);
    }
    has("router_advertisements", "answered", 40);
    has("router_advertisements", "ignored", 44);
    has("router_advertisements", "malformed", 45);
    has("router_advertisements", "limited", 46);
    has("router_advertisements", "unasked", 47);
}

TEST_F(ReportsTest, SequenceNumbersAreThoseOfTheDatabase) {
    sequences_.on_row("ms_vtep", {"Global", test::uuid(1), 7, 5});
    const Json::Value status = reports_.status();
    for (const Json::Value& database : status["databases"]) {
        const bool vtep = database["name"] == "ms_vtep";
        EXPECT_EQ(database["next_cfg"].asInt(), vtep ? 7 : 0);
        EXPECT_EQ(database["cur_cfg"].asInt(), vtep ? 5 : 0);
    }
}

TEST_F(ReportsTest, WithoutASwitchTheAgentIsNotHealthyAndSaysWhatToLookAt) {
    EXPECT_FALSE(reports_.status()["healthy"].asBool());
    EXPECT_THAT(problems(), Contains(HasSubstr("--ovs-db")));
    EXPECT_THAT(problems(), Contains(HasSubstr("bridge br-test is not ready")));
    EXPECT_THAT(problems(), Contains(HasSubstr("the responder has no")));
    EXPECT_THAT(problems(), Not(Contains(HasSubstr("realised"))));
}

TEST_F(ReportsTest, AProblemCountsRowsAndNotTheirFaults) {
    const policy::RowRef one{SourceTable::MsVtepLogicalSwitch, test::uuid(1)};
    policy_.faults.set(one, policy::FaultKey::VsidDuplicate, "twice");
    policy_.faults.set(one, policy::FaultKey::ReplicationLimit, "too many");
    EXPECT_THAT(problems(), Contains("1 row can't be realised: see hnvctl faults"));
    policy_.faults.set({SourceTable::MsFirewallRules, test::uuid(1)}, policy::FaultKey::RuleSyntax,
                       "eh");
    EXPECT_THAT(problems(), Contains("2 rows can't be realised: see hnvctl faults"));
    EXPECT_EQ(reports_.status()["policy"]["faults"].asUInt(), 3U);
}

TEST_F(ReportsTest, ARemoteThatDoesNotWorkIsAProblem) {
    server_.set_remotes({{.target = "punix:" + directory_ + "/no/such/dir", .read_only = false}});
    EXPECT_THAT(problems(), Contains(HasSubstr("/no/such/dir: cannot listen")));
}

TEST_F(ReportsTest, Ports) {
    deploy();
    policy_.model.set_carried_addresses({{test::ip("192.168.1.10"), 0, 0}});
    policy_.commit();
    const Json::Value ports = reports_.ports();
    ASSERT_EQ(ports.size(), 1U);
    EXPECT_EQ(ports[0]["name"], "sql");
    EXPECT_EQ(ports[0]["interface"], "if-sql");
    EXPECT_EQ(ports[0]["ofport"].asUInt(), 7U);
    EXPECT_EQ(ports[0]["bindings"][0]["vsid"].asUInt(), 5001U);
    EXPECT_EQ(ports[0]["mac"], "00:15:5d:50:01:0b");
    EXPECT_EQ(ports[0]["bindings"][0]["cas"][0], "10.1.1.11");
    EXPECT_EQ(ports[0]["state"], "active");
    EXPECT_EQ(ports[0]["provider_address"], "192.168.1.10");
    EXPECT_EQ(ports[0]["rules"].asUInt(), 2U);
    policy_.remove(SourceTable::MsFirewallRules, 50);
    policy_.remove(SourceTable::MsFirewallRules, 51);
    (void)policy_.commit();
    EXPECT_EQ(reports_.ports()[0]["state"], "blocked");
    EXPECT_THAT(reports_.ports()[0]["reason"].asString(), HasSubstr("no ACL"));
    EXPECT_EQ(reports_.ports()[0]["provider_address"], "");
    policy_.model.set_interfaces({});
    (void)policy_.commit();
    EXPECT_EQ(reports_.ports()[0]["state"], "unplugged");
}

TEST_F(ReportsTest, MappingsAreInTheOrderInWhichAPersonLooksForThem) {
    deploy();
    std::vector<std::string> lines;
    for (const Json::Value& mapping : reports_.mappings()) {
        lines.push_back(mapping["vsid"].asString() + " " + mapping["ca"].asString() + " " +
                        mapping["mac"].asString() + " " + mapping["pa"].asString() + " " +
                        mapping["encapsulation"].asString() + " " + mapping["type"].asString() +
                        (mapping["local"].asBool() ? " local" : ""));
    }
    EXPECT_THAT(lines,
                ElementsAre("5001  00:15:5d:50:01:0d 192.168.2.20 nvgre learning_disabled",
                            "5001 10.1.1.11 00:15:5d:50:01:0b 192.168.1.10 vxlan default local",
                            "5001 10.1.1.12 00:15:5d:50:01:0c 192.168.2.20 nvgre default"));
}

// Two rows that say the same of different hosts are what a person looks for.
TEST_F(ReportsTest, MappingsInConflictAreBothShown) {
    deploy();
    policy_.locator(22, "192.168.3.30");
    policy_.mapping(33, 10, 22, 0x155d50010c, "10.1.1.12");
    (void)policy_.commit();
    const Json::Value mappings = reports_.mappings();
    EXPECT_EQ(
        std::count_if(mappings.begin(), mappings.end(),
                      [](const Json::Value& mapping) { return mapping["ca"] == "10.1.1.12"; }),
        2);
}

TEST_F(ReportsTest, ProviderAddresses) {
    deploy();
    addresses_.push_back({test::uuid(2), test::ip("192.168.9.9"), false, "", 0});
    addresses_.push_back(
        {test::uuid(3), test::ip("10.9.0.11"), true, "hnvpa-000001", 0, true, 0x48000001, 1600});
    const Json::Value addresses = reports_.provider_addresses();
    ASSERT_EQ(addresses.size(), 3U);
    EXPECT_EQ(addresses[0]["address"], "192.168.1.10");
    EXPECT_EQ(addresses[0]["interface"], "br-pa");
    EXPECT_EQ(addresses[0]["state"], "present");
    EXPECT_EQ(addresses[0]["ports"].asUInt(), 1U);
    EXPECT_FALSE(addresses[0]["made"].asBool());
    EXPECT_EQ(addresses[1]["state"], "missing");
    EXPECT_TRUE(addresses[2]["made"].asBool());
    EXPECT_EQ(addresses[2]["mark"].asUInt(), 0x48000001U);
    EXPECT_EQ(addresses[2]["mtu"].asUInt(), 1600U);
}

TEST_F(ReportsTest, FaultsComeFromTheDatabaseWithTheirTime) {
    EXPECT_EQ(reports_.faults().size(), 0U);
    const Status written = server_.write(
        "hnv_host", R"([{"op":"insert","table":"Fault","row":{"database":"ms_vtep",)"
                    R"("table":"Logical_Switch","key":"vsid-range","message":"too low",)"
                    R"("since":"2025-01-31T12:00:00Z","row":["uuid",")" +
                        test::uuid(3).to_string() + R"("]}}])");
    ASSERT_TRUE(written) << written.error().message();
    const Json::Value faults = reports_.faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0]["database"], "ms_vtep");
    EXPECT_EQ(faults[0]["table"], "Logical_Switch");
    EXPECT_EQ(faults[0]["row"], test::uuid(3).to_string());
    EXPECT_EQ(faults[0]["key"], "vsid-range");
    EXPECT_EQ(faults[0]["message"], "too low");
    EXPECT_EQ(faults[0]["since"], "2025-01-31T12:00:00Z");
}

TEST_F(ReportsTest, NatSaysWhichRowsAreInForceAndWhichFlowsCount) {
    policy_.subnet(1, 5001);
    policy_.router(1, {{"10.1.1.0/24", 1}});
    policy_.locator(1, "192.168.1.10");
    policy_.mapping(1, 1, 1, 0xfe, "10.1.1.254");
    policy_.port(1, "gw", 1);
    policy_.allow_all(1, "gw");
    policy_.model.put(test::uuid(1), policy::PortSettingsSpec{"gw", false, true, std::nullopt});
    policy_.model.set_interfaces({test::plug("gw", 5, 0xfe)});
    const policy::NatSpec pool{"pool",
                               "gw",
                               0,
                               false,
                               {test::prefix("10.1.1.0/24")},
                               test::ip("203.0.113.2"),
                               test::ip("203.0.113.3"),
                               {test::prefix("203.0.113.2/31")},
                               policy::PortRange{1024, 2047}};
    policy_.model.put(test::uuid(1), pool);
    policy::NatSpec lost = pool;
    lost.name = "lost";
    lost.port = "nobody";
    policy_.model.put(test::uuid(2), lost);
    policy_.commit();
    const Json::Value nat = reports_.nat();
    EXPECT_EQ(nat["switch"], "unix:/run/ovs/br-test.mgmt");
    ASSERT_EQ(nat["rows"].size(), 2U);
    EXPECT_EQ(nat["rows"][0]["name"], "lost");
    EXPECT_EQ(nat["rows"][0]["in_force"], false);
    EXPECT_THAT(nat["rows"][0]["reason"].asString(), HasSubstr("not plugged"));
    EXPECT_EQ(nat["rows"][1]["external"], "203.0.113.2-203.0.113.3");
    EXPECT_EQ(nat["rows"][1]["ports"], "1024-2047");
    EXPECT_EQ(nat["rows"][1]["in_force"], true);
    ASSERT_EQ(nat["ports"].size(), 1U);
    EXPECT_EQ(nat["ports"][0]["port"], "gw");
    EXPECT_EQ(nat["ports"][0]["zone"].asUInt(), pipeline::kNatZones + 5);
    const Json::Value& exhausted = nat["ports"][0]["flows"]["exhausted"];
    EXPECT_EQ(exhausted["table"].asUInt(), static_cast<unsigned>(pipeline::Table::Snatted));
    EXPECT_THAT(exhausted["flow"].asString(), testing::EndsWith("actions=drop"));
}

TEST_F(ReportsTest, EmptyListsAreListsAndTheTextIsOneDocument) {
    for (const Json::Value& list : {reports_.ports(), reports_.mappings(), reports_.faults(),
                                    reports_.provider_addresses()}) {
        EXPECT_EQ(to_text(list), "[]\n");
    }
}

TEST_F(ReportsTest, TheHostsStatusIsText) {
    deploy();
    const auto status = reports_.host_status();
    EXPECT_THAT(status, Contains(testing::Pair("version", "9.9")));
    EXPECT_THAT(status, Contains(testing::Pair("switch_connected", "false")));
    EXPECT_THAT(status, Contains(testing::Pair("mappings", "3")));
    EXPECT_THAT(status, Contains(testing::Pair("faults", "0")));
}

}  // namespace
}  // namespace hnv::admin
