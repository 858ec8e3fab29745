// Provider addresses: which of them a port sends from.
#include <gtest/gtest.h>

#include <map>

#include "policy/model.h"
#include "support/policy_builder.h"

namespace hnv::policy {
namespace {

using test::ip;
using test::plug;
using test::uuid;

const CarriedAddress kFirst{test::ip("192.168.1.10"), 0x11, 1600};
const CarriedAddress kSecond{test::ip("192.168.1.11"), 0x22, 1700};
const CarriedAddress kThird{test::ip("192.168.1.12"), 0x33, 0};
const CarriedAddress kOverV6{test::ip("2001:db8::10"), 0x44, 1550};

class ModelProviderAddresses : public testing::Test, public test::PolicyBuilder {
  protected:
    static constexpr std::uint32_t kPorts = 60;

    void SetUp() override {
        std::vector<InterfaceSpec> interfaces;
        for (std::uint32_t number = 1; number <= kPorts; ++number) {
            interfaces.push_back(plug("port" + std::to_string(number), number, number));
        }
        model.set_interfaces(interfaces);
        commit();
    }
    void carry(const std::vector<CarriedAddress>& addresses) {
        model.set_carried_addresses(addresses);
        commit();
    }
    // Port → mark of the address that it sends from over IPv4.
    [[nodiscard]] std::map<std::string, std::uint32_t> marks() const {
        std::map<std::string, std::uint32_t> marks;
        for (const ObjectId& id : objects(ObjectKind::Port)) {
            marks[model.port(id)->name] = model.port(id)->mark_v4;
        }
        return marks;
    }
    [[nodiscard]] std::map<std::uint32_t, unsigned> counts() const {
        std::map<std::uint32_t, unsigned> counts;
        for (const auto& [port, mark] : marks()) {
            ++counts[mark];
        }
        return counts;
    }
};

TEST_F(ModelProviderAddresses, PortsAreSpreadOverThem) {
    carry({kFirst, kSecond, kThird});
    const auto spread = counts();
    ASSERT_EQ(spread.size(), 3U);
    for (const auto& [mark, ports] : spread) {
        EXPECT_GT(ports, kPorts / 3 / 2) << mark;
    }
}

TEST_F(ModelProviderAddresses, TheSpreadDoesNotDependOnTheOrder) {
    carry({kFirst, kSecond, kThird});
    const auto before = marks();
    carry({});
    carry({kThird, kFirst, kSecond});
    EXPECT_EQ(marks(), before);
}

TEST_F(ModelProviderAddresses, OnlyThePortsOfOneThatGoesMove) {
    carry({kFirst, kSecond, kThird});
    const auto before = marks();
    carry({kFirst, kThird});
    const auto after = marks();
    for (const auto& [port, mark] : before) {
        if (mark == kSecond.mark) {
            EXPECT_NE(after.at(port), mark);
        } else {
            EXPECT_EQ(after.at(port), mark);
        }
    }
    carry({kFirst, kSecond, kThird});
    EXPECT_EQ(marks(), before);
}

TEST_F(ModelProviderAddresses, APortHasOneForEachFamily) {
    carry({kFirst, kOverV6});
    EXPECT_EQ(port_view("port1")->mark_v4, kFirst.mark);
    EXPECT_EQ(port_view("port1")->mark_v6, kOverV6.mark);
    EXPECT_EQ(status("port1").pa, kFirst.address);
    carry({kOverV6});
    EXPECT_EQ(status("port1").pa, kOverV6.address);
    carry({});
    EXPECT_EQ(status("port1").pa, std::nullopt);
}

TEST_F(ModelProviderAddresses, SettingsChooseOne) {
    const auto choose = [this](const IpAddress& address) {
        model.put(uuid(1),
                  PortSettingsSpec{"port1", false, false, std::nullopt, std::optional(address)});
        commit();
    };
    carry({kFirst, kSecond, kThird});
    for (const CarriedAddress& each : {kFirst, kSecond, kThird}) {
        choose(each.address);
        EXPECT_EQ(port_view("port1")->mark_v4, each.mark);
        EXPECT_EQ(status("port1").pa, each.address);
    }
    EXPECT_EQ(fault(SourceTable::HostPortSettings, 1, FaultKey::PaMissing), "");
    choose(ip("192.168.9.9"));
    EXPECT_NE(port_view("port1")->mark_v4, 0U);
    EXPECT_NE(fault(SourceTable::HostPortSettings, 1, FaultKey::PaMissing), "");
    remove(SourceTable::HostPortSettings, 1);
    commit();
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(ModelProviderAddresses, TheUnderlayCarriesWhatTheSmallestOfThemCan) {
    carry({kFirst, kSecond, kThird, kOverV6});
    EXPECT_EQ(model.host().mtu_v4, 1600U);
    EXPECT_EQ(model.host().mtu_v6, 1550U);
    carry({kThird});
    EXPECT_EQ(model.host().mtu_v4, 0U);
}

}  // namespace
}  // namespace hnv::policy
