#include "ovs-integration/address.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>

namespace hnv {
namespace {

TEST(MacAddress, ReadsEverySpelling) {
    const MacAddress expected = MacAddress::from_bits(0x00155daabb0cU);
    for (const char* text :
         {"00:15:5d:aa:bb:0c", "00-15-5D-AA-BB-0C", "00:15:5D:aA:Bb:0C", "00-15-5d-aa-bb-0c"}) {
        EXPECT_EQ(MacAddress::parse(text), expected) << text;
    }
    EXPECT_EQ(expected.to_string(), "00:15:5d:aa:bb:0c");
}

TEST(MacAddress, RefusesTheRest) {
    for (const char* text :
         {"", "00155daabb0c", "00:15:5d:aa:bb", "00:15:5d:aa:bb:0c:", "00:15:5d:aa:bb:0g",
          "00:15-5d:aa:bb:0c", "0:15:5d:aa:bb:0c0", " 0:15:5d:aa:bb:0c", "00.15.5d.aa.bb.0c",
          "00:15:5d:aa:bb:0c ", "unknown-dst"}) {
        EXPECT_EQ(MacAddress::parse(text), std::nullopt) << text;
    }
}

TEST(MacAddress, ConvertsToBitsAndBack) {
    const MacAddress mac = *MacAddress::parse("01:23:45:67:89:ab");
    EXPECT_EQ(mac.bits(), 0x0123456789abU);
    EXPECT_EQ(MacAddress::from_bits(mac.bits()), mac);
    EXPECT_EQ(MacAddress::from_bits(0xffff0123456789abU), mac);  // The upper 16 don't count.
    EXPECT_TRUE(mac.is_multicast());
    EXPECT_FALSE(MacAddress::from_bits(0x020000000001U).is_multicast());
    EXPECT_TRUE(MacAddress::from_bits(0xffffffffffffU).is_multicast());
}

TEST(IpAddress, ReadsAndWritesIpv4) {
    const auto ip = IpAddress::parse("10.1.1.11");
    ASSERT_TRUE(ip);
    EXPECT_TRUE(ip->is_v4());
    EXPECT_EQ(ip->v4(), 0x0a01010bU);
    EXPECT_EQ(ip->to_string(), "10.1.1.11");
    EXPECT_EQ(IpAddress::from_v4(0x0a01010bU), *ip);
    EXPECT_EQ(IpAddress::parse("0.0.0.0"), IpAddress::from_v4(0));
    EXPECT_EQ(IpAddress::parse("255.255.255.255"), IpAddress::from_v4(0xffffffffU));
}

TEST(IpAddress, WritesIpv6AsRfc5952) {
    for (const auto& [text, canonical] :
         {std::pair{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
          std::pair{"2001:db8::0001", "2001:db8::1"}, std::pair{"::", "::"},
          std::pair{"FE80::", "fe80::"}, std::pair{"2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"}}) {
        const auto ip = IpAddress::parse(text);
        ASSERT_TRUE(ip) << text;
        EXPECT_FALSE(ip->is_v4()) << text;
        EXPECT_EQ(ip->to_string(), canonical);
    }
    EXPECT_EQ(IpAddress::parse("2001:DB8::1"), IpAddress::parse("2001:db8:0::1"));
}

TEST(IpAddress, HoldsAMappedAddressAsIpv4) {
    const auto ip = IpAddress::parse("::ffff:10.1.1.11");
    ASSERT_TRUE(ip);
    EXPECT_TRUE(ip->is_v4());
    EXPECT_EQ(ip->to_string(), "10.1.1.11");
    EXPECT_NE(IpAddress{}, IpAddress::from_v4(0));  // "::" is not "0.0.0.0".
}

TEST(IpAddress, RefusesTheRest) {
    for (const char* text : {"", "10.1.1", "10.1.1.256", "10.1.1.11 ", "10.1.1.11/24", "10.01.1.1",
                             "2001:db8::1::2", "2001:db8::g", "fe80::1%eth0", "hostname",
                             "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"}) {
        EXPECT_EQ(IpAddress::parse(text), std::nullopt) << text;
    }
    EXPECT_EQ(IpAddress::parse(std::string("10.1.1.11\0", 10)), std::nullopt);
}

TEST(IpAddress, HashesApart) {
    std::unordered_set<std::size_t> hashes;
    for (std::uint32_t i = 0; i < 65536; ++i) {
        hashes.insert(std::hash<IpAddress>{}(IpAddress::from_v4(0x0a010000U + i)));
    }
    EXPECT_EQ(hashes.size(), 65536U);
}

TEST(IpPrefix, ReadsAndWrites) {
    const auto prefix = IpPrefix::parse("10.1.1.5/24");
    ASSERT_TRUE(prefix);
    EXPECT_EQ(prefix->length, 24U);
    EXPECT_EQ(prefix->to_string(), "10.1.1.5/24");
    EXPECT_TRUE(prefix->has_host_bits());
    EXPECT_EQ(prefix->network(), IpAddress::parse("10.1.1.0"));
    EXPECT_EQ(IpPrefix::parse("10.1.1.5")->length, 32U);
    EXPECT_EQ(IpPrefix::parse("2001:db8::1")->length, 128U);
    EXPECT_FALSE(IpPrefix::parse("10.1.1.0/24")->has_host_bits());
}

TEST(IpPrefix, RefusesTheRest) {
    for (const char* text :
         {"", "/", "/24", "10.1.1.0/", "10.1.1.0/33", "10.1.1.0/-1", "10.1.1.0/+1", "10.1.1.0/24 ",
          "10.1.1.0/255.255.255.0", "10.1.1.0/24/24", "2001:db8::/129", "10.1.1.0/99999999999"}) {
        EXPECT_EQ(IpPrefix::parse(text), std::nullopt) << text;
    }
}

TEST(IpPrefix, CutsAtEveryLength) {
    const IpAddress all = IpAddress::from_v4(0xffffffffU);
    for (unsigned length = 0; length <= 32; ++length) {
        const std::uint32_t mask = length == 0 ? 0 : ~0U << (32 - length);
        EXPECT_EQ((IpPrefix{all, length}.network()), IpAddress::from_v4(mask)) << length;
    }
    EXPECT_EQ(IpPrefix::parse("2001:db8:ffff::/33")->network(),
              IpAddress::parse("2001:db8:8000::"));
    EXPECT_EQ(IpPrefix::parse("2001:db8::1/0")->network(), IpAddress::parse("::"));
}

TEST(IpPrefix, ContainsItsOwnFamilyOnly) {
    const IpPrefix prefix = *IpPrefix::parse("10.1.1.7/24");
    EXPECT_TRUE(prefix.contains(*IpAddress::parse("10.1.1.0")));
    EXPECT_TRUE(prefix.contains(*IpAddress::parse("10.1.1.255")));
    EXPECT_FALSE(prefix.contains(*IpAddress::parse("10.1.2.0")));
    EXPECT_TRUE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("192.0.2.1")));
    EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
    EXPECT_FALSE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("10.1.1.1")));
}

}  // namespace
}  // namespace hnv
