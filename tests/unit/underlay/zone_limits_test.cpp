// The limits that the switch shows, and the commands that mend them.
#include "underlay/zone_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hnv::underlay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kDatapath = "netdev@ovs-netdev";
using Found = std::map<std::uint16_t, std::uint32_t>;

std::vector<SwitchCommand> commands(const Found& found, const std::vector<ZoneLimit>& wanted,
                                    const std::set<std::uint16_t>& given_up = {}) {
    return zone_limit_commands(kDatapath, found, wanted, given_up);
}

TEST(ZoneLimits, AreReadFromWhatTheSwitchShows) {
    EXPECT_THAT(parse_zone_limits("default limit=0\nzone=3,limit=5,count=2\n"
                                  "zone=65535,limit=4294967295,count=0\n"
                                  "zone=65536,limit=1,count=0\nzone=x\nlimit=3\n\nzone=4,count=1"),
                ElementsAre(Pair(3, 5), Pair(65535, 4294967295U)));
    EXPECT_THAT(parse_zone_limits(""), IsEmpty());
}

TEST(ZoneLimits, NothingIsDoneWhenAllIsRight) {
    EXPECT_THAT(commands({{3, 5}, {9, 1}}, {{3, 5}, {4, 0}}), IsEmpty());
    EXPECT_THAT(commands({}, {}), IsEmpty());
}

TEST(ZoneLimits, WhatIsMissingOrOtherwiseIsSetAtOnce) {
    EXPECT_THAT(commands({{4, 1}}, {{3, 5}, {4, 6}}),
                ElementsAre(SwitchCommand{"dpctl/ct-set-limits",
                                          {kDatapath, "zone=3,limit=5", "zone=4,limit=6"}}));
}

TEST(ZoneLimits, ThoseOfAZoneWithoutOneAndOfOneThatIsGivenUpGo) {
    EXPECT_THAT(commands({{3, 5}, {4, 6}, {5, 7}}, {{3, 0}}, {4, 8}),
                ElementsAre(SwitchCommand{"dpctl/ct-del-limits", {kDatapath, "zone=3,4"}}));
}

TEST(ZoneLimits, AZoneThatAnotherTakesOverIsItsOwn) {
    EXPECT_THAT(commands({{3, 5}}, {{3, 5}}, {3}), IsEmpty());
}

TEST(ZoneLimits, OfTwoForOneZoneTheLowerHolds) {
    EXPECT_THAT(commands({}, {{3, 5}, {3, 2}, {3, 0}}),
                ElementsAre(SwitchCommand{"dpctl/ct-set-limits", {kDatapath, "zone=3,limit=2"}}));
}

TEST(ZoneLimits, ManyAreSetBySeveralCommands) {
    std::vector<ZoneLimit> wanted;
    for (std::uint16_t zone = 1; zone <= 2500; ++zone) {
        wanted.push_back({zone, 7});
    }
    std::size_t set = 0;
    const auto made = commands({}, wanted);
    for (const SwitchCommand& command : made) {
        EXPECT_EQ(command.arguments.front(), kDatapath);
        set += command.arguments.size() - 1;
    }
    EXPECT_EQ(made.size(), 3U);
    EXPECT_EQ(set, 2500U);
}

}  // namespace
}  // namespace hnv::underlay
