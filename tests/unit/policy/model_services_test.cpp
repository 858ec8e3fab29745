// Mirroring and service insertion: which rules are in force, and where they lead.
#include <gtest/gtest.h>

#include "model_ports_fixture.h"

namespace hnv::policy {
namespace {

constexpr auto kService = SourceTable::MsServiceInsertionRule;
constexpr std::uint32_t kKey = 990001;

// Rules' rows are 1, 2, …; "sql" is the port that they are of, "web" another one here.
class ModelServices : public ModelPorts {
  protected:
    void SetUp() override {
        ModelPorts::SetUp();
        mapping(1, 1, 1, kSqlMac, "10.1.1.11");
        plug_both();
        port(1, "sql", 1);
        allow_all(1, "sql");
        commit();
        ASSERT_EQ(status("sql").state, PortState::Active);
    }
    void plug_both() {
        model.set_interfaces({plug("sql", 5, kSqlMac), plug("web", 6, kWebMac)});
        commit();
    }
    template <typename Service>
    void put(std::uint32_t row, Service service, const std::string& of = "sql",
             std::uint16_t priority = 100) {
        model.put(uuid(row), ServiceRuleSpec{of, "r" + std::to_string(row), priority, {}, service});
        commit();
    }
    [[nodiscard]] static MirrorSourceSpec to_port(const std::string& name) {
        return {true, true, name};
    }
    [[nodiscard]] static MirrorSourceSpec to_host(std::string_view pa, std::uint32_t key = kKey) {
        return {true, true, MirrorSourceSpec::Remote{{Encapsulation::Vxlan, ip(pa)}, key}};
    }
    [[nodiscard]] static MirrorDestinationSpec from(std::uint32_t key) {
        return {key, {ip("192.168.2.20")}};
    }
    [[nodiscard]] ServiceView view(const std::string& name = "sql") const {
        return service_view(name).value_or(ServiceView{});
    }
    [[nodiscard]] std::string mirror_fault(std::uint32_t row) const {
        return fault(kService, row, FaultKey::MirrorTarget);
    }
    [[nodiscard]] std::string hop_fault(std::uint32_t row) const {
        return fault(kService, row, FaultKey::NextHopUnmapped);
    }
    // Where the first insertion of "sql" leads; nullopt: its next hop is not known.
    [[nodiscard]] std::optional<MacAddress> hop() const {
        const auto insertions = view().insertions;
        return insertions.empty() ? std::nullopt : insertions.front().hops.front().mac;
    }
    // A second subnet, in one network with the first.
    void join() {
        subnet(2, 5002);
        router(1, {{"10.1.1.0/24", 1}, {"10.1.2.0/24", 2}});
        mapping(9, 2, 1, kWebMac, "10.1.2.50");
        commit();
    }
};

TEST_F(ModelServices, AnAnalyzerHereIsKnownWhileItIsPlugged) {
    put(1, to_port("web"));
    ASSERT_EQ(view().mirrors.size(), 1U);
    EXPECT_EQ(view().mirrors.front().ofport, 6U);
    plug_sql();
    commit();
    EXPECT_TRUE(view().mirrors.empty());
    EXPECT_EQ(faults.all().size(), 0U);
    model.set_interfaces({plug("sql", 5, kSqlMac), plug("web", 16, kWebMac)});
    commit();
    EXPECT_EQ(view().mirrors.front().ofport, 16U);
}

TEST_F(ModelServices, NothingIsCopiedOfAPortThatPassesNothing) {
    put(1, to_port("web"));
    put(2, from(kKey));
    remove(kRule, 1);
    remove(kRule, 2);
    commit();
    EXPECT_TRUE(view().mirrors.empty());
    EXPECT_EQ(view().arrivals.size(), 1U);  // It gets others' copies.
}

TEST_F(ModelServices, RulesOfAPortThatIsNotThereWaitSilently) {
    put(1, to_port("web"), "later");
    put(2, InsertionSpec{ip("10.1.1.50"), false}, "later");
    put(3, to_port("nobody"));
    EXPECT_TRUE(faults.all().empty());
    EXPECT_FALSE(service_view("later"));
    for (const std::uint32_t row : {1U, 2U, 3U}) {
        remove(kService, row);
    }
    commit();
    EXPECT_TRUE(objects(ObjectKind::Service).empty());
    EXPECT_EQ(status("later").name, "");  // Nothing is known of it any more.
}

TEST_F(ModelServices, RulesAreInTheOrderOfPriorityThenId) {
    put(1, to_host("192.168.2.20", 1), "sql", 20);
    put(3, to_host("192.168.2.20", 3), "sql", 10);
    put(2, to_host("192.168.2.20", 2), "sql", 10);
    std::vector<std::uint32_t> keys;
    for (const auto& mirror : view().mirrors) {
        keys.push_back(mirror.remote.key);
    }
    EXPECT_EQ(keys, (std::vector<std::uint32_t>{2, 3, 1}));
}

TEST_F(ModelServices, APortIsNotItsOwnAnalyzer) {
    put(1, to_port("sql"));
    EXPECT_NE(mirror_fault(1), "");
    EXPECT_TRUE(view().mirrors.empty());
    put(1, to_port("web"));
    EXPECT_EQ(mirror_fault(1), "");
    EXPECT_EQ(view().mirrors.size(), 1U);
}

TEST_F(ModelServices, CopiesDoNotGoToAProviderAddressOfThisHost) {
    put(1, to_host("192.168.2.20"));
    EXPECT_EQ(view().mirrors.size(), 1U);
    provider_address(2, "192.168.2.20/24");
    commit();
    EXPECT_NE(mirror_fault(1), "");
    EXPECT_TRUE(view().mirrors.empty());
    remove(SourceTable::HostProviderAddress, 2);
    commit();
    EXPECT_EQ(mirror_fault(1), "");
    EXPECT_EQ(view().mirrors.size(), 1U);
}

TEST_F(ModelServices, AKeyIsNoVsid) {
    put(1, to_host("192.168.2.20"));
    put(2, from(kKey), "web");
    EXPECT_EQ(view("web").arrivals.size(), 1U);
    subnet(7, kKey);
    commit();
    EXPECT_NE(mirror_fault(1).find("is the VSID of a Logical_Switch"), std::string::npos);
    EXPECT_NE(mirror_fault(2), "");
    EXPECT_TRUE(view().mirrors.empty());
    EXPECT_TRUE(view("web").arrivals.empty());
    remove(SourceTable::MsVtepLogicalSwitch, 7);
    commit();
    EXPECT_EQ(mirror_fault(1) + mirror_fault(2), "");
    EXPECT_EQ(view().mirrors.size(), 1U);
    EXPECT_EQ(view("web").arrivals.size(), 1U);
}

TEST_F(ModelServices, AKeyIsOneRulesOnAHost) {
    put(1, from(kKey), "sql", 20);
    put(2, from(kKey), "web", 10);
    EXPECT_NE(mirror_fault(1).find("already that of rule r2 of port web"), std::string::npos);
    EXPECT_EQ(mirror_fault(2), "");
    EXPECT_TRUE(view("sql").arrivals.empty());
    EXPECT_EQ(view("web").arrivals.size(), 1U);
    put(2, from(kKey + 1), "web", 10);
    EXPECT_EQ(mirror_fault(1), "");
    EXPECT_EQ(view("sql").arrivals.size(), 1U);
}

TEST_F(ModelServices, ANextHopIsFoundInAnySubnetOfTheNetwork) {
    put(1, InsertionSpec{ip("10.1.2.50"), false});
    EXPECT_NE(hop_fault(1).find("dropped"), std::string::npos);
    join();
    EXPECT_EQ(hop(), mac(kWebMac));
    EXPECT_EQ(view().insertions.front().hops.front().vsid, 5002U);
    EXPECT_EQ(hop_fault(1), "");
    router(1, {{"10.1.1.0/24", 1}, {"10.1.2.0/24", 2}}, false);
    commit();
    EXPECT_FALSE(hop());
    router(1, {{"10.1.1.0/24", 1}, {"10.1.2.0/24", 2}});
    commit();
    EXPECT_TRUE(hop());
    router(1, {{"10.1.1.0/24", 1}});
    commit();
    EXPECT_FALSE(hop());
    EXPECT_NE(hop_fault(1), "");
}

TEST_F(ModelServices, ANextHopFollowsItsMapping) {
    put(1, InsertionSpec{ip("10.1.1.50"), true});
    EXPECT_NE(hop_fault(1).find("passed on without it"), std::string::npos);
    mapping(9, 1, 1, kWebMac, "10.1.1.50");
    commit();
    EXPECT_EQ(hop(), mac(kWebMac));
    mapping(9, 1, 1, kWebMac + 1, "10.1.1.50");
    commit();
    EXPECT_EQ(hop(), mac(kWebMac + 1));
    remove(kMapping, 9);
    commit();
    EXPECT_FALSE(hop());
}

TEST_F(ModelServices, ANextHopIsNeitherTheGatewayNorThePortItself) {
    join();
    mapping(10, 1, 1, kWebMac, "10.1.1.1");
    for (const char* address : {"10.1.1.1", "10.1.1.11"}) {
        put(1, InsertionSpec{ip(address), false});
        EXPECT_FALSE(hop()) << address;
        EXPECT_NE(hop_fault(1), "") << address;
    }
}

}  // namespace
}  // namespace hnv::policy
