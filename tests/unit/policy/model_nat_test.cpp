// NAT: which rows are in force at a gateway port, and what the others are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::plug;
using test::prefix;
using test::uuid;
using testing::HasSubstr;
using testing::IsEmpty;

// "gw" is a gateway port in subnet 2 of a virtual network with subnets 1 and 2.
class ModelNat : public testing::Test, public test::PolicyBuilder {
  protected:
    static constexpr std::uint32_t kFirst = 100;
    static constexpr std::uint32_t kSecond = 101;

    void SetUp() override {
        subnet(1, 5001);
        subnet(2, 5009);
        router(1, {{"10.1.1.0/24", 1}, {"10.1.9.0/24", 2}});
        locator(1, "192.168.1.10");
        mapping(1, 1, 1, 0x0b, "10.1.1.11");
        mapping(2, 2, 1, 0xfe, "10.1.9.254");
        port(1, "gw", 2);
        allow_all(1, "gw");
        forward(true);
        model.set_interfaces({plug("gw", 5, 0xfe)});
        commit();
    }
    void forward(bool allowed) {
        PortSettingsSpec settings;
        settings.name = "gw";
        settings.ip_forwarding_allowed = allowed;
        model.put(uuid(9), settings);
    }
    static NatSpec pool(const char* internal, const char* first, const char* last,
                        const char* external) {
        return {
            "pool", "gw", 0, false, {prefix(internal)}, ip(first), ip(last), {prefix(external)}};
    }
    static NatSpec pair(const char* ca, const char* external) {
        return {
            "pair", "gw", 0, true, {prefix(ca)}, ip(external), ip(external), {prefix(external)}};
    }
    void put(std::uint32_t row, NatSpec spec) {
        model.put(uuid(row), std::move(spec));
        commit();
    }
    // "internal > first" of each translation of the port's subnet; a pair with "=".
    std::vector<std::string> translations() const {
        std::vector<std::string> texts;
        const auto view = port_view("gw");
        for (const Translation& each : view->attachments.at(0).translations) {
            texts.push_back(each.internal.to_string() + (each.is_static ? " = " : " > ") +
                            each.first.to_string());
        }
        return texts;
    }
    std::string conflict(std::uint32_t row) const {
        return fault(SourceTable::HostNat, row, FaultKey::NatConflict);
    }
    std::string unusable(std::uint32_t row) const {
        return fault(SourceTable::HostNat, row, FaultKey::NatPort);
    }
};

TEST_F(ModelNat, APoolAndAPairOfItsPrefixGoTogether) {
    put(kFirst, pool("10.1.1.0/24", "203.0.113.2", "203.0.113.3", "203.0.113.2/31"));
    put(kSecond, pair("10.1.1.11", "203.0.113.9"));
    EXPECT_THAT(translations(),
                testing::ElementsAre("10.1.1.0/24 > 203.0.113.2", "10.1.1.11/32 = 203.0.113.9"));
    EXPECT_THAT(faults.all(), IsEmpty());
}

TEST_F(ModelNat, ARowThatGoesTakesItsTranslationAlong) {
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    const auto before = objects(ObjectKind::Port);
    remove(SourceTable::HostNat, kFirst);
    EXPECT_THAT(commit(), testing::Contains(before.front()));
    EXPECT_THAT(translations(), IsEmpty());
}

TEST_F(ModelNat, OfTwoThatContradictTheFirstIsInForceUntilItGoes) {
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    for (const NatSpec& other :
         {pair("10.1.1.11", "203.0.113.8"), pair("10.1.1.12", "203.0.113.9"),
          pool("10.1.1.0/24", "203.0.113.8", "203.0.113.9", "203.0.113.8/31")}) {
        put(kSecond, other);
        EXPECT_THAT(conflict(kSecond), HasSubstr("row pair"));
        EXPECT_THAT(translations(), testing::ElementsAre("10.1.1.11/32 = 203.0.113.9"));
    }
    remove(SourceTable::HostNat, kFirst);
    commit();
    EXPECT_THAT(faults.all(), IsEmpty());
    EXPECT_THAT(translations(), testing::ElementsAre("10.1.1.0/24 > 203.0.113.8"));
}

TEST_F(ModelNat, TwoPoolsMayShareExternalAddressesButNotAPrefix) {
    put(kFirst, pool("10.1.1.0/24", "203.0.113.2", "203.0.113.2", "203.0.113.2"));
    put(kSecond, pool("10.1.2.0/24", "203.0.113.2", "203.0.113.2", "203.0.113.2"));
    EXPECT_EQ(conflict(kSecond), "");
    put(kSecond, pool("10.1.1.0/24", "203.0.113.3", "203.0.113.3", "203.0.113.3"));
    EXPECT_THAT(conflict(kSecond), HasSubstr("10.1.1.0/24"));
}

TEST_F(ModelNat, RowsOfSeveralVlansDoNotMeet) {
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    NatSpec tagged = pair("10.1.1.11", "203.0.113.9");
    tagged.vlan = 10;
    put(kSecond, tagged);
    EXPECT_EQ(conflict(kSecond), "");
    EXPECT_THAT(unusable(kSecond), HasSubstr("in VLAN 10"));
}

TEST_F(ModelNat, AnExternalAddressIsNoCustomerAddressOfTheNetwork) {
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    mapping(3, 1, 1, 0x0c, "203.0.113.9");
    commit();
    EXPECT_THAT(conflict(kFirst), HasSubstr("is a CA of VSID 5001"));
    EXPECT_THAT(translations(), IsEmpty());
    remove(SourceTable::MsVtepUcastMacsRemote, 3);
    commit();
    EXPECT_EQ(conflict(kFirst), "");
    put(kFirst, pool("10.1.1.0/24", "10.1.9.0", "10.1.9.3", "10.1.9.0/30"));
    EXPECT_THAT(conflict(kFirst), HasSubstr("10.1.9.1 is a CA of VSID 5009"));
}

TEST_F(ModelNat, OfALargePoolNoAddressIsACustomerAddress) {
    put(kFirst, pool("10.1.1.0/24", "203.0.112.0", "203.0.113.255", "203.0.112.0/23"));
    EXPECT_THAT(faults.all(), IsEmpty());
    mapping(3, 1, 1, 0x0c, "203.0.113.9");
    commit();
    EXPECT_THAT(conflict(kFirst), HasSubstr("203.0.113.9 is a CA"));
    for (std::uint32_t number = 0; number < 20; ++number) {
        mapping(10 + number, 1, 1, 0x100 + number, "10.1.1." + std::to_string(100 + number));
    }
    put(kFirst, pool("10.1.1.0/24", "203.0.113.8", "203.0.113.9", "203.0.113.8/31"));
    EXPECT_THAT(conflict(kFirst), HasSubstr("203.0.113.9 is a CA"));
    put(kFirst, pool("10.1.1.0/24", "203.0.113.10", "203.0.113.11", "203.0.113.10/31"));
    EXPECT_THAT(faults.all(), IsEmpty());
}

TEST_F(ModelNat, APairMayNotTakeAnAddressOfAPoolEither) {
    put(kFirst, pool("10.1.1.0/24", "203.0.113.2", "203.0.113.9", "203.0.113.2"));
    put(kSecond, pair("10.1.1.11", "203.0.113.5"));
    EXPECT_THAT(conflict(kSecond), HasSubstr("row pool"));
    put(kSecond, pair("10.1.1.11", "203.0.113.10"));
    EXPECT_THAT(faults.all(), IsEmpty());
}

TEST_F(ModelNat, AnotherNetworksAddressesDoNotMatter) {
    subnet(3, 6001);
    router(3, {{"203.0.113.0/24", 3}});
    mapping(3, 3, 1, 0x0c, "203.0.113.9");
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    EXPECT_THAT(faults.all(), IsEmpty());
}

TEST_F(ModelNat, ThePortMustBeHereRoutedAndFree) {
    NatSpec elsewhere = pair("10.1.1.11", "203.0.113.9");
    elsewhere.port = "nobody";
    put(kFirst, elsewhere);
    EXPECT_THAT(unusable(kFirst), HasSubstr("port nobody is not plugged"));
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    EXPECT_THAT(faults.all(), IsEmpty());
    forward(false);
    commit();
    EXPECT_THAT(unusable(kFirst), HasSubstr("ip_forwarding_allowed"));
    EXPECT_THAT(translations(), IsEmpty());
    forward(true);
    router(1, {{"10.1.1.0/24", 1}, {"10.1.9.0/24", 2}}, false);
    commit();
    EXPECT_THAT(unusable(kFirst), HasSubstr("nothing routes VSID 5009"));
    router(1, {{"10.1.1.0/24", 1}, {"10.1.9.0/24", 2}});
    commit();
    EXPECT_THAT(faults.all(), IsEmpty());
    model.set_interfaces({});
    commit();
    EXPECT_THAT(unusable(kFirst), HasSubstr("not plugged"));
    remove(SourceTable::HostNat, kFirst);
    commit();
    EXPECT_THAT(faults.all(), IsEmpty());
}

TEST_F(ModelNat, EachRowIsToldWithWhatKeepsItOut) {
    put(kFirst, pair("10.1.1.11", "203.0.113.9"));
    put(kSecond, pair("10.1.1.12", "203.0.113.9"));
    std::vector<std::string> problems;
    model.for_each_nat([&](const NatStatus& status) {
        EXPECT_EQ(status.ofport, 5U);
        problems.push_back(status.problem);
    });
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(problems[0], "");
    EXPECT_THAT(problems[1], HasSubstr("203.0.113.9"));
}

}  // namespace
}  // namespace hnv::policy
