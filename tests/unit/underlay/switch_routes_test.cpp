// The switch's tables as it prints them, and the commands that mend them.
#include "underlay/switch_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "underlay/provider_address.h"

namespace hnv::underlay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t kMark = kFirstMark + 1;

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

SwitchRoute route(const char* prefix, const char* device, const char* source,
                  const char* gateway = nullptr, std::uint32_t mark = kMark) {
    SwitchRoute made{mark, IpPrefix::parse(prefix).value(), device, std::nullopt, ip(source)};
    if (gateway != nullptr) {
        made.gateway = ip(gateway);
    }
    return made;
}

TEST(SwitchRoutes, AreReadFromWhatTheSwitchShows) {
    const auto routes = parse_routes(
        "Route Table:\n"
        "Cached: 10.9.0.11/32 dev hnvpa-000001 SRC 10.9.0.11 local\n"
        "User: 10.0.0.0/8 MARK 7 dev br0 SRC 10.0.0.1\n"
        "User: 10.1.0.0/16 dev br0 SRC 10.0.0.1\n"
        "User: 10.9.0.0/24 MARK 1207959553 dev hnvpa-000001 SRC 10.9.0.11\n"
        "User: 0.0.0.0/0 MARK 1207959553 dev hnvpa-000001 GW 10.9.0.1 SRC 10.9.0.11\n"
        "User: ::/0 MARK 1207959553 dev hnvpa-000002 GW 2001:db8::1 SRC 2001:db8::11\n"
        "User:\nUser: x MARK\nUser: 10.9.0.0/24 MARK\n");
    EXPECT_THAT(routes, ElementsAre(route("10.9.0.0/24", "hnvpa-000001", "10.9.0.11"),
                                    route("0.0.0.0/0", "hnvpa-000001", "10.9.0.11", "10.9.0.1"),
                                    route("::/0", "hnvpa-000002", "2001:db8::11", "2001:db8::1")));
}

TEST(SwitchRoutes, NeighboursAreThoseThatHaveNotRunOut) {
    const auto neighbours = parse_neighbours(
        "IP                                            MAC                 Bridge\n"
        "==========================================================================\n"
        "10.9.0.1                                      a6:01:e9:97:26:49   hnvu-eth1\n"
        "10.9.0.2                                      a6:01:e9:97:26:4a   hnvu-eth1 STALE\n"
        "2001:db8::1                                   a6:01:e9:97:26:49   hnvu-eth2\n");
    EXPECT_THAT(neighbours, ElementsAre(std::pair(ip("10.9.0.1"), std::string("hnvu-eth1")),
                                        std::pair(ip("2001:db8::1"), std::string("hnvu-eth2"))));
}

TEST(SwitchRoutes, NothingIsDoneWhenAllIsRight) {
    const std::vector routes{route("10.9.0.0/24", "pa", "10.9.0.11")};
    EXPECT_THAT(route_commands(routes, routes), IsEmpty());
}

TEST(SwitchRoutes, WhatIsMissingIsAdded) {
    const std::vector wanted{route("10.9.0.0/24", "pa", "10.9.0.11"),
                             route("0.0.0.0/0", "pa", "10.9.0.11", "10.9.0.1")};
    EXPECT_THAT(
        route_commands({}, wanted),
        ElementsAre(SwitchCommand{"ovs/route/add", {"10.9.0.0/24", "pa", "pkt_mark=1207959553"}},
                    SwitchCommand{"ovs/route/add",
                                  {"0.0.0.0/0", "pa", "10.9.0.1", "pkt_mark=1207959553"}}));
}

TEST(SwitchRoutes, WhatDiffersIsReplacedWithoutAGap) {
    const std::vector wanted{route("10.9.0.0/24", "pa", "10.9.0.11")};
    const std::vector old_source{route("10.9.0.0/24", "pa", "10.9.0.99")};
    EXPECT_THAT(
        route_commands(old_source, wanted),
        ElementsAre(SwitchCommand{"ovs/route/add", {"10.9.0.0/24", "pa", "pkt_mark=1207959553"}}));
}

// Deleting a route ends the tunnels of its device until one of its routes is added.
TEST(SwitchRoutes, WhatIsLeftOfADeviceIsAddedAgainAfterADeletion) {
    const std::vector found{route("10.9.0.0/24", "pa", "10.9.0.11"),
                            route("0.0.0.0/0", "pa", "10.9.0.11", "10.9.0.1"),
                            route("10.8.0.0/24", "pb", "10.8.0.11", nullptr, kMark + 1)};
    const std::vector wanted{found[0], found[2]};
    EXPECT_THAT(
        route_commands(found, wanted),
        ElementsAre(SwitchCommand{"ovs/route/del", {"0.0.0.0/0", "pkt_mark=1207959553"}},
                    SwitchCommand{"ovs/route/add", {"10.9.0.0/24", "pa", "pkt_mark=1207959553"}}));
}

TEST(SwitchControlSocket, IsThatOfThePidFileOrTheFixedOne) {
    const std::string missing = testing::TempDir() + "/no-such-directory";
    EXPECT_EQ(switch_control_socket(missing), missing + "/ovs-vswitchd.ctl");
}

}  // namespace
}  // namespace hnv::underlay
