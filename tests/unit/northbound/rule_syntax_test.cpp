#include "northbound/rule_syntax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hnv::northbound {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Parsed {
    std::string error;
    policy::RuleSpec spec;
};

Parsed parse(const RuleLists& lists) {
    Parsed parsed;
    const Status status = parse_rule_lists(lists, parsed.spec);
    parsed.error = status ? "" : status.error().message();
    return parsed;
}

std::vector<std::string> addresses(const std::string& list) {
    const Parsed parsed = parse({.sources = list});
    EXPECT_EQ(parsed.error, "") << list;
    std::vector<std::string> texts;
    for (const IpPrefix& prefix : parsed.spec.sources) {
        texts.push_back(prefix.to_string());
    }
    return texts;
}

std::vector<std::pair<int, int>> ports(const std::string& list) {
    const Parsed parsed = parse({.source_ports = list});
    EXPECT_EQ(parsed.error, "") << list;
    std::vector<std::pair<int, int>> ranges;
    for (const policy::PortRange& range : parsed.spec.source_ports) {
        ranges.emplace_back(range.first, range.last);
    }
    return ranges;
}

std::vector<int> protocols(const std::string& list) {
    const Parsed parsed = parse({.protocols = list});
    EXPECT_EQ(parsed.error, "") << list;
    return {parsed.spec.protocols.begin(), parsed.spec.protocols.end()};
}

TEST(RuleSyntax, AStarOrNothingIsAny) {
    for (const char* any : {"", "*", " ", " * ", "\t*\n"}) {
        const Parsed parsed = parse({any, any, any, any, any});
        EXPECT_EQ(parsed.error, "");
        EXPECT_TRUE(parsed.spec.matches_all()) << "'" << any << "'";
    }
}

TEST(RuleSyntax, EachListGoesToItsPlace) {
    const Parsed parsed = parse({"10.0.0.1", "10.0.0.2", "1", "2", "3"});
    EXPECT_EQ(parsed.spec.sources.at(0).to_string(), "10.0.0.1/32");
    EXPECT_EQ(parsed.spec.destinations.at(0).to_string(), "10.0.0.2/32");
    EXPECT_EQ(parsed.spec.source_ports.at(0).first, 1);
    EXPECT_EQ(parsed.spec.destination_ports.at(0).last, 2);
    EXPECT_EQ(parsed.spec.protocols.at(0), 3);
}

TEST(RuleSyntax, AddressesAndPrefixes) {
    EXPECT_THAT(addresses("10.0.0.1"), ElementsAre("10.0.0.1/32"));
    EXPECT_THAT(addresses("10.1.2.3/8"), ElementsAre("10.0.0.0/8"));
    EXPECT_THAT(addresses("0.0.0.0/0"), ElementsAre("0.0.0.0/0"));
    EXPECT_THAT(addresses("2001:DB8:0::1"), ElementsAre("2001:db8::1/128"));
    EXPECT_THAT(addresses("2001:db8::1/32"), ElementsAre("2001:db8::/32"));
    EXPECT_THAT(addresses("::/0"), ElementsAre("::/0"));
    EXPECT_THAT(addresses(" 10.0.0.2 ,10.0.0.1\t, 2001:db8::/64 "),
                testing::UnorderedElementsAre("10.0.0.1/32", "10.0.0.2/32", "2001:db8::/64"));
}

TEST(RuleSyntax, DuplicatesCollapse) {
    EXPECT_THAT(addresses("10.0.0.1,10.0.0.1/32,10.0.0.1-10.0.0.1"), ElementsAre("10.0.0.1/32"));
    EXPECT_THAT(addresses("10.0.0.5/8,10.9.9.9/8"), ElementsAre("10.0.0.0/8"));
    EXPECT_THAT(ports("80,080,80-80"), ElementsAre(std::pair(80, 80)));
    EXPECT_THAT(protocols("tcp,6,TCP,06"), ElementsAre(6));
}

TEST(RuleSyntax, RangesBecomeTheFewestPrefixes) {
    EXPECT_THAT(addresses("10.0.0.1-10.0.0.9"),
                ElementsAre("10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/30", "10.0.0.8/31"));
    EXPECT_THAT(addresses("10.0.0.0 - 10.0.0.255"), ElementsAre("10.0.0.0/24"));
    EXPECT_THAT(addresses("10.0.0.255-10.0.1.0"), ElementsAre("10.0.0.255/32", "10.0.1.0/32"));
    EXPECT_THAT(addresses("0.0.0.0-255.255.255.255"), ElementsAre("0.0.0.0/0"));
    EXPECT_THAT(addresses("255.255.255.255-255.255.255.255"), ElementsAre("255.255.255.255/32"));
    EXPECT_THAT(addresses("0.0.0.0-0.0.0.0"), ElementsAre("0.0.0.0/32"));
    EXPECT_THAT(addresses("128.0.0.0-255.255.255.255"), ElementsAre("128.0.0.0/1"));
    EXPECT_THAT(addresses("0.0.0.1-255.255.255.254"), SizeIs(62));
    EXPECT_THAT(addresses("2001:db8::1-2001:db8::4"),
                ElementsAre("2001:db8::1/128", "2001:db8::2/127", "2001:db8::4/128"));
    EXPECT_THAT(addresses("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ElementsAre("::/0"));
    EXPECT_THAT(addresses("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), SizeIs(254));
    EXPECT_THAT(addresses("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff-"
                          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                ElementsAre("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"));
}

// Each prefix begins where the one before ends, and the first and last are those of the range.
TEST(RuleSyntax, RangesAreCoveredExactly) {
    for (std::uint32_t first = 0; first < 40; ++first) {
        for (std::uint32_t last = first; last < 40; ++last) {
            const std::string text =
                IpAddress::from_v4(first).to_string() + "-" + IpAddress::from_v4(last).to_string();
            const Parsed parsed = parse({.destinations = text});
            std::uint64_t next = first;
            for (const IpPrefix& prefix : parsed.spec.destinations) {
                EXPECT_FALSE(prefix.has_host_bits());
                EXPECT_EQ(prefix.address.v4(), next) << text;
                next += std::uint64_t{1} << (32 - prefix.length);
            }
            EXPECT_EQ(next, std::uint64_t{last} + 1) << text;
        }
    }
}

// The block ::ffff:0:0/96 stands for IPv4 in the model; an IPv6 range that spans it must not turn
// into IPv4 prefixes of impossible lengths.
TEST(RuleSyntax, AnIpv6RangeOverTheMappedBlockStaysIpv6) {
    const Parsed parsed = parse({.sources = "::fffe:0:1-::1:0:0:1"});
    EXPECT_EQ(parsed.error, "");
    EXPECT_FALSE(parsed.spec.sources.empty());
    for (const IpPrefix& prefix : parsed.spec.sources) {
        EXPECT_FALSE(prefix.address.is_v4()) << prefix.to_string();
    }
}

TEST(RuleSyntax, Ports) {
    EXPECT_THAT(ports("80"), ElementsAre(std::pair(80, 80)));
    EXPECT_THAT(ports("443, 80 ,1024 - 65535"),
                ElementsAre(std::pair(80, 80), std::pair(443, 443), std::pair(1024, 65535)));
    EXPECT_THAT(ports("0-65535"), ElementsAre(std::pair(0, 65535)));
    EXPECT_THAT(ports("0,65535"), ElementsAre(std::pair(0, 0), std::pair(65535, 65535)));
}

TEST(RuleSyntax, ProtocolsByKeywordOrNumber) {
    EXPECT_THAT(protocols("TCP"), ElementsAre(6));
    EXPECT_THAT(protocols("tcp, Udp ,iCmP,ICMPv6"), ElementsAre(1, 6, 17, 58));
    EXPECT_THAT(protocols("igmp,gre,esp,ah,sctp"), ElementsAre(2, 47, 50, 51, 132));
    EXPECT_THAT(protocols("0,255,47"), ElementsAre(0, 47, 255));
}

TEST(RuleSyntax, ErrorsNameTheListAndTheItem) {
    const auto error = [](const RuleLists& lists) { return parse(lists).error; };
    EXPECT_EQ(error({.sources = "10.0.0.1,10.0.0.300"}),
              "src_ip_addresses: can't read '10.0.0.300'");
    EXPECT_EQ(error({.destinations = "10.0.0.0/33"}), "dst_ip_addresses: can't read '10.0.0.0/33'");
    EXPECT_EQ(error({.source_ports = "http"}), "src_ports: can't read 'http'");
    EXPECT_EQ(error({.destination_ports = "1, 65536"}), "dst_ports: can't read '65536'");
    EXPECT_EQ(error({.protocols = "tcp,xyzzy"}), "protocols: can't read 'xyzzy'");
}

TEST(RuleSyntax, WhatCantBeReadIsRefused) {
    for (const char* bad : {",",
                            "10.0.0.1,",
                            "10.0.0.1,,10.0.0.2",
                            "10.0.0.1,*",
                            "-",
                            "10.0.0.1-",
                            "-10.0.0.1",
                            "10.0.0.9-10.0.0.1",
                            "10.0.0.1-::2",
                            "::1-10.0.0.2",
                            "10.0.0.0/8-10.0.0.9",
                            "10.0.0.1-10.0.0.2-10.0.0.3",
                            "10.0.0.0/",
                            "10.0.0.0/-1",
                            "10.0.0.0/+8",
                            "::/129",
                            "10.0.0",
                            "10.0.0.1 10.0.0.2",
                            "fe80::1%eth0",
                            "localhost"}) {
        EXPECT_THAT(parse({.sources = bad}).error, HasSubstr("src_ip_addresses: can't read"))
            << bad;
    }
    for (const char* bad : {",", "80,", "-1", "1-", "9-1", "+80", "80.0", "65536", "1-65536",
                            "0x50", "1-2-3", "99999999999999999999", "80 443"}) {
        EXPECT_THAT(parse({.source_ports = bad}).error, HasSubstr("src_ports: can't read")) << bad;
    }
    for (const char* bad : {",", "tcp,", "256", "-1", "+6", "6.0", "tcp udp", "tcp/udp"}) {
        EXPECT_THAT(parse({.protocols = bad}).error, HasSubstr("protocols: can't read")) << bad;
    }
}

TEST(RuleSyntax, ListsAreBounded) {
    std::string list;
    for (int i = 0; i < 5000; ++i) {
        list += (i == 0 ? "" : ",") + std::to_string(i);
    }
    EXPECT_NE(parse({.source_ports = list}).error, "");
    list.clear();
    for (int i = 0; i < 100; ++i) {
        list += std::string(i == 0 ? "" : ",") + "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe";
    }
    EXPECT_NE(parse({.destinations = list}).error, "");
    // A keyword that is looked up in the system's list costs a file's reading.
    list.clear();
    for (int i = 0; i < 5000; ++i) {
        list += std::string(i == 0 ? "" : ",") + "tcp";
    }
    EXPECT_NE(parse({.protocols = list}).error, "");
}

}  // namespace
}  // namespace hnv::northbound
