// ms_service_insertion's rules, from text to what the model makes of them.
#include "northbound/routing_information.h"
#include "northbound_fixture.h"

namespace hnv::northbound {
namespace {

using policy::FaultKey;
using policy::MirrorSourceSpec;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <typename Spec>
std::string error_of(const Result<Spec>& result) {
    return result ? "" : result.error().message().substr(sizeof "routing_information: " - 1);
}

TEST(RoutingInformation, NamesAnAnalyzerHere) {
    const auto spec = parse_mirror_source("port={B3F6A2C1-5D0E-4C7A-9F21-6E8D40C75001}");
    ASSERT_TRUE(spec);
    EXPECT_TRUE(spec->inbound && spec->outbound);
    EXPECT_EQ(spec->analyzer,
              (std::variant<std::string, MirrorSourceSpec::Remote>(
                  std::in_place_type<std::string>, "b3f6a2c1-5d0e-4c7a-9f21-6e8d40c75001")));
}

TEST(RoutingInformation, NamesAnAnalyzerElsewhere) {
    const auto spec = parse_mirror_source("encapsulation=nvgre, key=16777215 destination=fd00::1");
    ASSERT_TRUE(spec);
    const auto& remote = std::get<MirrorSourceSpec::Remote>(spec->analyzer);
    EXPECT_EQ(remote.key, 16777215U);
    EXPECT_EQ(remote.locator,
              (policy::LocatorSpec{policy::Encapsulation::Nvgre, test::ip("fd00::1")}));
    const auto usual = parse_mirror_source("destination=192.168.2.20 key=1");
    ASSERT_TRUE(usual);
    EXPECT_EQ(std::get<MirrorSourceSpec::Remote>(usual->analyzer).locator.encapsulation,
              policy::Encapsulation::Vxlan);
}

TEST(RoutingInformation, NamesADirection) {
    for (const auto& [text, in, out] :
         {std::tuple("in", true, false), std::tuple("out", false, true),
          std::tuple("both", true, true)}) {
        const auto spec = parse_mirror_source(std::string("port=p direction=") + text);
        ASSERT_TRUE(spec);
        EXPECT_EQ(spec->inbound, in);
        EXPECT_EQ(spec->outbound, out);
    }
}

TEST(RoutingInformation, NamesWhoseCopiesAreAccepted) {
    const auto spec = parse_mirror_destination("key=7,from=192.168.1.10;fd00:1::10;");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->key, 7U);
    EXPECT_THAT(spec->from, ElementsAre(test::ip("192.168.1.10"), test::ip("fd00:1::10")));
}

TEST(RoutingInformation, NamesANextHop) {
    const auto closed = parse_insertion(" next-hop=10.1.1.50 ");
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->next_hop, test::ip("10.1.1.50"));
    EXPECT_FALSE(closed->fail_open);
    const auto open = parse_insertion("fail=open\tnext-hop=fd01::50");
    ASSERT_TRUE(open);
    EXPECT_TRUE(open->fail_open);
}

TEST(RoutingInformation, SaysWhatIsWrongWithIt) {
    const auto source = [](std::string_view text) { return error_of(parse_mirror_source(text)); };
    const auto destination = [](std::string_view text) {
        return error_of(parse_mirror_destination(text));
    };
    const auto insertion = [](std::string_view text) { return error_of(parse_insertion(text)); };
    EXPECT_EQ(source(""), "port=NAME or destination=PA is missing");
    EXPECT_EQ(source("port"), "can't read 'port', which is not key=value");
    EXPECT_EQ(source("port="), "can't read 'port=', which is not key=value");
    EXPECT_EQ(source("port=a port=b"), "port is there twice");
    EXPECT_EQ(source("port=a key=7"), "'key' is not known for this rule_type");
    EXPECT_EQ(source("port=a destination=192.168.1.1"),
              "'destination' is not known for this rule_type");
    EXPECT_EQ(source("port=a direction=up"), "direction 'up' is not both, in or out");
    EXPECT_EQ(source("destination=192.168.1.1"), "key=N is missing");
    EXPECT_EQ(source("destination=host2 key=1"), "destination 'host2' is not an IP address");
    EXPECT_EQ(source("destination=0.0.0.0 key=1"), "destination '0.0.0.0' is not an IP address");
    EXPECT_EQ(source("destination=192.168.1.1 key=1 encapsulation=geneve"),
              "encapsulation 'geneve' is not vxlan or nvgre");
    for (const char* key : {"0", "16777216", "-1", "x", "7x", "99999999999"}) {
        EXPECT_EQ(destination("from=192.168.1.1 key=" + std::string(key)),
                  "key '" + std::string(key) + "' is not 1 to 16777215");
    }
    EXPECT_EQ(destination("key=1"), "from=PA is missing");
    EXPECT_EQ(destination("key=1 from=;"), "from=PA is missing");
    EXPECT_EQ(destination("key=1 from=192.168.1.1;x"), "from 'x' is not an IP address");
    EXPECT_EQ(insertion("fail=open"), "next-hop=CA is missing");
    EXPECT_EQ(insertion("next-hop=::"), "next-hop '::' is not an IP address");
    EXPECT_EQ(insertion("next-hop=10.1.1.1 fail=safe"), "fail 'safe' is not closed or open");
}

class MsServiceInsertionReaderTest : public NorthboundTest {
  protected:
    void SetUp() override {
        // Port "p1" passes traffic, "ids" is plugged and no more.
        policy_->model.set_interfaces(
            {test::plug("p1", 7, 0x00155d000001), test::plug("ids", 8, 0x00155d000002)});
        map("00:15:5d:00:00:01", "10.0.0.1");
        vtep({insert("Physical_Port",
                     R"("name":"p1","vlan_bindings":["map",[[0,["uuid",")" +
                         rows("ms_vtep", "Logical_Switch").front().uuid.to_string() + R"("]]]])",
                     "port"),
              attach("port")});
        add_rule("");
        ASSERT_EQ(policy_->status("p1").state, policy::PortState::Active);
        ASSERT_THAT(fault_keys(), IsEmpty());
    }
    void add(const std::string& type, const std::string& routing, const std::string& more = "") {
        services({insert("SI_Rule", R"("rule_id":"s1","vnic_id":"p1","rule_type":")" + type +
                                        R"(","routing_information":")" + routing + '"' + more)});
    }
    [[nodiscard]] policy::ServiceView view() const {
        return policy_->service_view("p1").value_or(policy::ServiceView{});
    }
};

TEST_F(MsServiceInsertionReaderTest, EveryColumnIsRead) {
    add("MirrorSource", "port=ids direction=in",
        R"(,"priority":65000,"src_ip_addresses":"10.0.0.0/8","dst_ip_addresses":"10.0.0.1, 10.0.0.2",)"
        R"("src_ports":"1024-65535","dst_ports":"80,443","protocols":"TCP")");
    EXPECT_THAT(fault_keys(), IsEmpty());
    ASSERT_EQ(view().mirrors.size(), 1U);
    const auto mirror = view().mirrors.front();
    EXPECT_EQ(mirror.ofport, 8U);
    EXPECT_TRUE(mirror.inbound && !mirror.outbound);
    EXPECT_THAT(mirror.filter.sources, ElementsAre(test::prefix("10.0.0.0/8")));
    EXPECT_THAT(mirror.filter.destinations,
                ElementsAre(test::prefix("10.0.0.1/32"), test::prefix("10.0.0.2/32")));
    EXPECT_THAT(mirror.filter.source_ports, ElementsAre(policy::PortRange{1024, 65535}));
    EXPECT_THAT(mirror.filter.destination_ports,
                ElementsAre(policy::PortRange{80, 80}, policy::PortRange{443, 443}));
    EXPECT_THAT(mirror.filter.protocols, ElementsAre(6));
}

TEST_F(MsServiceInsertionReaderTest, ARuleMayChangeItsTypeAndItsPort) {
    add("MirrorSource", "port=ids");
    services({update("SI_Rule", R"("rule_type":"MirrorDestinaion",)"
                                R"("routing_information":"key=7 from=192.168.2.20")")});
    EXPECT_THAT(view().mirrors, IsEmpty());
    EXPECT_EQ(view().arrivals.size(), 1U);
    services({update("SI_Rule", R"("rule_type":"ServiceInsertion",)"
                                R"("routing_information":"next-hop=10.0.0.9")")});
    EXPECT_THAT(view().arrivals, IsEmpty());
    EXPECT_EQ(view().insertions.size(), 1U);
    EXPECT_THAT(fault_keys(), ElementsAre("next-hop-unmapped"));
    services({update("SI_Rule", R"("vnic_id":"ids")")});
    EXPECT_FALSE(policy_->service_view("p1"));
    EXPECT_THAT(fault_keys(), IsEmpty());
    services({erase("SI_Rule")});
    EXPECT_THAT(policy_->objects(policy::ObjectKind::Service), IsEmpty());
}

TEST_F(MsServiceInsertionReaderTest, ABadRuleIsAFaultUntilMendedOrDeleted) {
    add("MirrorSource", "port=ids", R"(,"dst_ports":"http")");
    EXPECT_EQ(fault(FaultKey::RuleSyntax), "rule s1: dst_ports: can't read 'http'");
    EXPECT_FALSE(policy_->service_view("p1"));
    services({update("SI_Rule", R"("dst_ports":"*","routing_information":"port")")});
    EXPECT_THAT(fault(FaultKey::RuleSyntax), HasSubstr("rule s1: routing_information: can't read"));
    services({update("SI_Rule", R"("priority":65001)")});
    EXPECT_THAT(fault_keys(), ElementsAre("rule-priority"));
    services({update("SI_Rule", R"("priority":1,"routing_information":"port=ids",)"
                                R"("protocols":"icmp","src_ports":"7")")});
    EXPECT_THAT(fault(FaultKey::RuleSyntax), HasSubstr("no packet can match it"));
    services({update("SI_Rule", R"("protocols":"udp")")});
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_EQ(view().mirrors.size(), 1U);
    services({update("SI_Rule", R"("protocols":"x")")});
    EXPECT_FALSE(policy_->service_view("p1"));
    services({erase("SI_Rule")});
    EXPECT_THAT(fault_keys(), IsEmpty());
}

TEST_F(MsServiceInsertionReaderTest, AFilterOfTooManyMatchesIsRefused) {
    // Each range takes 30 masks.
    add("MirrorSource", "port=ids", R"(,"src_ports":"1-65534","dst_ports":"1-65534")");
    EXPECT_THAT(fault_keys(), IsEmpty());
    services({update("SI_Rule", R"("protocols":"tcp,udp")")});
    EXPECT_THAT(fault(FaultKey::RuleSyntax), HasSubstr("more than 1024 matches"));
}

TEST_F(MsServiceInsertionReaderTest, ADestinationHasNoFilter) {
    add("MirrorDestinaion", "key=7 from=192.168.2.20", R"(,"dst_ports":"http")");
    EXPECT_THAT(fault_keys(), IsEmpty());
    EXPECT_EQ(view().arrivals.size(), 1U);
}

TEST_F(MsServiceInsertionReaderTest, ItsSequenceNumberIsConfirmed) {
    services({update("SI_Global", R"("next_cfg":5)")});
    EXPECT_EQ(integer("ms_service_insertion", "SI_Global", "cur_cfg"), 0);
    sequences_->on_confirmed(applied_);
    run();
    EXPECT_EQ(integer("ms_service_insertion", "SI_Global", "cur_cfg"), 5);
}

}  // namespace
}  // namespace hnv::northbound
