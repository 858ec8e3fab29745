#include "policy/neighbours.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hnv::policy {
namespace {

IpAddress ip(std::uint32_t address) { return IpAddress::from_v4(address); }
MacAddress mac(std::uint64_t bits) { return MacAddress::from_bits(bits); }

TEST(NeighbourTable, FindsWhatWasSet) {
    NeighbourTable table;
    EXPECT_EQ(table.find(5001, ip(1)), std::nullopt);
    table.set(5001, ip(1), mac(0x0211));
    EXPECT_EQ(table.find(5001, ip(1)), mac(0x0211));
    EXPECT_EQ(table.size(), 1U);
}

TEST(NeighbourTable, KeepsSubnetsApart) {
    NeighbourTable table;
    table.set(5001, ip(1), mac(0x0211));
    table.set(6001, ip(1), mac(0x0221));
    EXPECT_EQ(table.find(5001, ip(1)), mac(0x0211));
    EXPECT_EQ(table.find(6001, ip(1)), mac(0x0221));
    EXPECT_EQ(table.find(7001, ip(1)), std::nullopt);
    table.erase(5001, ip(1));
    EXPECT_EQ(table.find(5001, ip(1)), std::nullopt);
    EXPECT_EQ(table.find(6001, ip(1)), mac(0x0221));
}

TEST(NeighbourTable, SetReplacesAndEraseOfNothingIsNothing) {
    NeighbourTable table;
    table.set(5001, ip(1), mac(1));
    table.set(5001, ip(1), mac(2));
    EXPECT_EQ(table.find(5001, ip(1)), mac(2));
    EXPECT_EQ(table.size(), 1U);
    table.erase(5001, ip(2));
    EXPECT_EQ(table.size(), 1U);
}

TEST(NeighbourTable, HoldsIpv6) {
    NeighbourTable table;
    const IpAddress v6 = *IpAddress::parse("2001:db8::1");
    table.set(5001, v6, mac(1));
    EXPECT_EQ(table.find(5001, v6), mac(1));
    EXPECT_EQ(table.find(5001, ip(1)), std::nullopt);
}

TEST(NeighbourTable, HoldsManyWithoutMixingThem) {
    constexpr std::uint32_t kSubnets = 20;
    constexpr std::uint32_t kHosts = 500;
    NeighbourTable table;
    for (std::uint32_t vsid = 0; vsid < kSubnets; ++vsid) {
        for (std::uint32_t host = 0; host < kHosts; ++host) {
            table.set(vsid, ip(host), mac(vsid * kHosts + host));
        }
    }
    EXPECT_EQ(table.size(), kSubnets * kHosts);
    for (std::uint32_t vsid = 0; vsid < kSubnets; ++vsid) {
        for (std::uint32_t host = 0; host < kHosts; ++host) {
            ASSERT_EQ(table.find(vsid, ip(host)), mac(vsid * kHosts + host));
        }
    }
}

// For the thread sanitizer; and a reader must see an entry's old or its new MAC or none, never a
// mixture or another entry's.
TEST(NeighbourTable, IsReadWhileItIsWritten) {
    constexpr std::uint32_t kHosts = 256;
    constexpr int kRounds = 20;
    constexpr std::uint64_t kNewer = 0x111111000000U;
    NeighbourTable table;
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> wrong{0};

    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            do {
                for (std::uint32_t host = 0; host < kHosts; ++host) {
                    const auto found = table.find(5001, ip(host));
                    if (found && *found != mac(host) && *found != mac(kNewer + host)) {
                        wrong.fetch_add(1);
                    }
                }
                if (table.size() > kHosts) {
                    wrong.fetch_add(1);
                }
            } while (!done.load());
        });
    }
    for (int round = 0; round < kRounds; ++round) {
        for (std::uint32_t host = 0; host < kHosts; ++host) {
            table.set(5001, ip(host), mac(host));
        }
        for (std::uint32_t host = 0; host < kHosts; ++host) {
            table.set(5001, ip(host), mac(kNewer + host));
        }
        for (std::uint32_t host = 0; host < kHosts; host += 2) {
            table.erase(5001, ip(host));
        }
    }
    done.store(true);
    for (std::thread& reader : readers) {
        reader.join();
    }
    EXPECT_EQ(wrong.load(), 0U);
    EXPECT_EQ(table.size(), kHosts / 2);
}

}  // namespace
}  // namespace hnv::policy
