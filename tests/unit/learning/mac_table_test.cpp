#include "learning/mac_table.h"

#include <gtest/gtest.h>

#include "pipeline/compile.h"
#include "support/policy_builder.h"

namespace hnv::learning {
namespace {

using policy::FaultKey;
using policy::ObjectKind;
using policy::SourceTable;
using test::ip;
using test::mac;
using test::plug;
using test::uuid;

constexpr std::uint64_t kBehind = 0x0200000000aa;
constexpr std::int64_t kAgingMsec = 10'000;

// Ports "one" (OpenFlow port 5) and "two" (6) of hardware_vtep in one subnet. Nothing is asked of a
// switch: a test says what it has counted.
class MacTableTest : public testing::Test, public test::PolicyBuilder {
  protected:
    void SetUp() override {
        model.note_vtep(uuid(1));
        subnet(1, 42);
        for (const auto& [row, name] : {std::pair(11U, "one"), std::pair(12U, "two")}) {
            model.note_vtep(uuid(row));
            model.put(uuid(row), policy::PortSpec{name, {{std::uint16_t{0}, uuid(1)}}, true});
        }
        plug_both();
        policy::HostSettingsSpec settings;
        settings.mac_aging_seconds = kAgingMsec / 1000;
        settings.learned_macs_limit = 5;
        model.set_host_settings(settings);
        policy::PortSettingsSpec limits;
        limits.name = "one";
        limits.learned_macs_limit = 3;
        model.put(uuid(13), limits);
        commit_all();
    }
    void plug_both() { model.set_interfaces({plug("one", 5, 0x1), plug("two", 6, 0x2)}); }
    void commit_all() {
        for (const policy::ObjectId& id : model.commit()) {
            if (id.kind == ObjectKind::Learned) {
                const auto flows = pipeline::compile(model, id);
                table.note_flows(id, flows);
                for (const ovs::Flow& flow : flows.flows) {
                    known_flows.push_back(flow);
                }
            }
        }
    }
    bool see(std::uint32_t ofport, std::uint64_t bits, const char* address = nullptr) {
        const policy::Sighting sighting{
            ofport, 0, mac(bits), address == nullptr ? std::nullopt : std::optional(ip(address))};
        const bool changed = table.take({&sighting, 1}, now);
        commit_all();
        return changed;
    }
    [[nodiscard]] std::string port_of(std::uint64_t bits) const {
        const auto known = model.learned(policy::LearnedKey{uuid(1), mac(bits)});
        return known ? known->port : "";
    }
    // The switch has counted so many packets by each flow of the MAC.
    void count(std::uint64_t bits, std::uint64_t packets) { counts[bits] = packets; }
    void pass(std::int64_t msec) {
        std::vector<ovs::FlowRecord> records;
        for (const ovs::Flow& flow : known_flows) {
            const auto counted = counts.find(flow.cookie & 0xffff'ffff'ffffULL);
            if (flow.table == static_cast<std::uint8_t>(pipeline::Table::Learn) &&
                counted != counts.end()) {
                records.push_back({flow, counted->second, 0, 0});
            }
        }
        (void)table.age(records, msec);
        commit_all();
    }

    std::int64_t now = 1'000'000;
    MacTable table{model, faults, "unix:/nowhere"};
    std::vector<ovs::Flow> known_flows;
    std::map<std::uint64_t, std::uint64_t> counts;
};

TEST_F(MacTableTest, WhatIsSeenIsLearnedOnce) {
    EXPECT_TRUE(see(5, kBehind));
    EXPECT_FALSE(see(5, kBehind));
    EXPECT_EQ(port_of(kBehind), "one");
    EXPECT_FALSE(see(7, kBehind)) << "no such port";
    EXPECT_EQ(table.counters(), (Counters{.learned = 1}));
}

TEST_F(MacTableTest, AMacMovesButNotToAndFro) {
    see(5, kBehind);
    for (unsigned i = 0; i < MacTable::kMaxMoves; ++i) {
        EXPECT_TRUE(see(i % 2 == 0 ? 6 : 5, kBehind)) << i;
    }
    const std::string where = port_of(kBehind);
    EXPECT_EQ(where, "two");
    EXPECT_FALSE(see(5, kBehind));
    EXPECT_FALSE(see(5, kBehind));
    EXPECT_EQ(port_of(kBehind), where);
    EXPECT_EQ(table.counters(), (Counters{.learned = 1, .moved = MacTable::kMaxMoves, .held = 2}));
    EXPECT_NE(fault(SourceTable::VtepPhysicalPort, 12, FaultKey::MacFlap), "");
    now += MacTable::kHoldMsec;
    EXPECT_FALSE(table.run(now));
    EXPECT_EQ(fault(SourceTable::VtepPhysicalPort, 12, FaultKey::MacFlap), "");
    EXPECT_TRUE(see(5, kBehind));
    EXPECT_EQ(port_of(kBehind), "one");
}

TEST_F(MacTableTest, SlowMovesAreNotHeld) {
    see(5, kBehind);
    for (unsigned i = 0; i < 4 * MacTable::kMaxMoves; ++i) {
        now += MacTable::kMoveWindowMsec / 3;
        EXPECT_TRUE(see(i % 2 == 0 ? 6 : 5, kBehind)) << i;
    }
    EXPECT_TRUE(faults.all().empty());
}

TEST_F(MacTableTest, APortHasNoMoreThanItMay) {
    for (unsigned i = 0; i < 3; ++i) {
        EXPECT_TRUE(see(5, kBehind + i));
    }
    EXPECT_FALSE(see(5, kBehind + 3));
    EXPECT_EQ(table.counters().refused, 1U);
    EXPECT_NE(fault(SourceTable::VtepPhysicalPort, 11, FaultKey::MacLimit).find("3 that it may"),
              std::string::npos);
    see(6, kBehind + 4);
    EXPECT_FALSE(see(5, kBehind + 4)) << "it may not move there either";
    EXPECT_EQ(port_of(kBehind + 4), "two");
    EXPECT_FALSE(table.run(now));
    EXPECT_EQ(faults.all().size(), 1U) << "as long as there is no room";
    see(6, kBehind);
    now += 1000;
    EXPECT_FALSE(table.run(now));
    EXPECT_TRUE(faults.all().empty());
    EXPECT_TRUE(see(5, kBehind + 3));
}

TEST_F(MacTableTest, AllPortsTogetherHaveNoMoreThanTheHostMay) {
    for (unsigned i = 0; i < 5; ++i) {
        EXPECT_TRUE(see(6, kBehind + i));
    }
    EXPECT_FALSE(see(6, kBehind + 5));
    EXPECT_NE(fault(SourceTable::VtepPhysicalPort, 12, FaultKey::MacLimit).find("together"),
              std::string::npos);
    EXPECT_TRUE(see(5, kBehind)) << "a move takes no room";
}

TEST_F(MacTableTest, ASilentMacIsForgotten) {
    see(5, kBehind);
    see(5, kBehind + 1, "10.0.0.7");
    for (std::uint64_t i = 0; i < 4; ++i) {
        count(kBehind, i);
        count(kBehind + 1, 7);
        pass(kAgingMsec / 2);
    }
    EXPECT_EQ(port_of(kBehind), "one");
    EXPECT_EQ(port_of(kBehind + 1), "");
    EXPECT_EQ(table.counters().aged_out, 1U);
    pass(kAgingMsec);
    EXPECT_EQ(port_of(kBehind), "");
    EXPECT_EQ(model.learned_macs(), 0U);
}

TEST_F(MacTableTest, ArpIsTrafficToo) {
    see(5, kBehind);
    count(kBehind, 7);
    pass(0);
    pass(kAgingMsec - 1);
    see(5, kBehind);
    pass(kAgingMsec - 1);
    EXPECT_EQ(port_of(kBehind), "one");
}

TEST_F(MacTableTest, AFlowThatTheSwitchDoesNotHaveYetIsNotSilent) {
    see(5, kBehind);
    pass(2 * kAgingMsec);
    EXPECT_EQ(port_of(kBehind), "one");
}

TEST_F(MacTableTest, WhatWentWithItsPortIsLearnedAnew) {
    see(5, kBehind);
    model.set_interfaces({plug("two", 6, 0x2)});
    commit_all();
    EXPECT_EQ(port_of(kBehind), "");
    plug_both();
    commit_all();
    EXPECT_TRUE(see(5, kBehind));
    EXPECT_EQ(table.counters().learned, 2U);
}

TEST_F(MacTableTest, AnAddressDoesNotChangeToAndFro) {
    see(5, kBehind);
    EXPECT_TRUE(see(5, kBehind, "10.0.0.7"));
    EXPECT_TRUE(see(5, kBehind, "fd00::7")) << "its first of IPv6";
    EXPECT_FALSE(see(5, kBehind, "10.0.0.8"));
    now += MacTable::kAddressMsec;
    EXPECT_TRUE(see(5, kBehind, "10.0.0.8"));
    EXPECT_EQ(model.learned(policy::LearnedKey{uuid(1), mac(kBehind)})->v4, ip("10.0.0.8"));
}

TEST_F(MacTableTest, TheMacOfAnotherPortIsNotLearned) {
    EXPECT_FALSE(see(5, 0x2));
    EXPECT_EQ(table.counters(), (Counters{.reserved = 1}));
}

}  // namespace
}  // namespace hnv::learning
