// The words of vtep(5) about BFD, and Open vSwitch's.
#include "northbound/bfd_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hnv::northbound {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(BfdParams, OnlyTrueEnables) {
    EXPECT_TRUE(asks_for_bfd({{"enable", "true"}}));
    EXPECT_FALSE(asks_for_bfd({{"enable", "false"}}));
    EXPECT_FALSE(asks_for_bfd({{"min_rx", "100"}}));
}

TEST(BfdParams, Defaults) {
    const BfdSettings settings = bfd_settings({{"enable", "true"}}, {});
    EXPECT_THAT(settings.settings,
                UnorderedElementsAre(Pair("enable", "true"), Pair("bfd_dst_ip", "169.254.1.1"),
                                     Pair("bfd_local_dst_mac", "00:23:20:00:00:01"),
                                     Pair("bfd_remote_dst_mac", "00:23:20:00:00:01")));
    EXPECT_EQ(settings.problem, "");
}

TEST(BfdParams, AllThatCanBeSet) {
    const BfdSettings settings =
        bfd_settings({{"enable", "true"},
                      {"min_rx", "200"},
                      {"min_tx", "1"},  // Below what a switch can bear for many of them.
                      {"decay_min_rx", "0"},
                      {"forwarding_if_rx", "true"},
                      {"cpath_down", "true"},
                      {"check_tnl_key", "false"},
                      {"other", "x"}},
                     {{"bfd_dst_mac", "00-AA-00-00-00-01"}, {"bfd_dst_ip", "169.254.7.7"}});
    EXPECT_THAT(
        settings.settings,
        UnorderedElementsAre(Pair("enable", "true"), Pair("min_rx", "200"), Pair("min_tx", "20"),
                             Pair("decay_min_rx", "0"), Pair("forwarding_if_rx", "true"),
                             Pair("cpath_down", "true"), Pair("check_tnl_key", "false"),
                             Pair("bfd_dst_ip", "169.254.7.7"),
                             Pair("bfd_local_dst_mac", "00:aa:00:00:00:01"),
                             Pair("bfd_remote_dst_mac", "00:23:20:00:00:01")));
    EXPECT_EQ(settings.problem, "");
}

TEST(BfdParams, WhatCanNotBeReadHasItsDefaultAndIsTold) {
    const BfdSettings settings = bfd_settings(
        {{"enable", "true"}, {"min_rx", "0"}, {"min_tx", "-5"}, {"cpath_down", "maybe"}},
        {{"bfd_dst_ip", "fe80::1"}, {"bfd_dst_mac", "x"}});
    EXPECT_EQ(settings.settings.size(), 4U);
    EXPECT_THAT(settings.problem,
                AllOf(HasSubstr("min_rx, which can't be '0'"), HasSubstr("min_tx"),
                      HasSubstr("cpath_down"), HasSubstr("bfd_dst_ip"), HasSubstr("bfd_dst_mac")));
}

TEST(BfdParams, StatusIsWhatTheSchemaHasNamesFor) {
    const policy::BfdState up{
        {}, 7, {{"state", "up"}, {"forwarding", "true"}, {"flap_count", "1"}}};
    EXPECT_THAT(bfd_status(up), UnorderedElementsAre(Pair("enabled", "true"), Pair("state", "up"),
                                                     Pair("forwarding", "true")));
    EXPECT_THAT(bfd_status({}), IsEmpty());
    EXPECT_THAT(bfd_status({{}, 0, {}, "no room"}),
                UnorderedElementsAre(Pair("enabled", "false"), Pair("info", "no room")));
}

}  // namespace
}  // namespace hnv::northbound
