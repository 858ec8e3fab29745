#include "learning/sighting.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "pipeline/layout.h"
#include "support/policy_builder.h"

namespace hnv::learning {
namespace {

using test::ip;
using test::mac;

constexpr std::uint64_t kMac = 0x0200000000aa;

using Bytes = std::vector<std::uint8_t>;

Bytes operator+(Bytes head, const Bytes& tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
}

Bytes bytes_of(std::uint64_t bits) {
    const MacAddress address = mac(bits);
    return {address.bytes.begin(), address.bytes.end()};
}

Bytes ethernet(std::uint16_t type, std::uint64_t source = kMac) {
    return Bytes(6, 0xff) + bytes_of(source) +
           Bytes{static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type)};
}

Bytes arp(const Bytes& sender_ip, std::uint64_t sender = kMac) {
    return ethernet(0x0806) + Bytes{0, 1, 8, 0, 6, 4, 0, 1} + bytes_of(sender) + sender_ip +
           Bytes(10, 0);
}

Bytes address6(const char* text) {
    const IpAddress address = ip(text);
    return {address.bytes().begin(), address.bytes().end()};
}

// From `source`, about `target`, with `options`.
Bytes discovery(std::uint8_t type, const char* source, const char* target,
                const Bytes& options = {}, std::uint8_t hop_limit = 255) {
    const auto length = static_cast<std::uint8_t>(24 + options.size());
    return ethernet(0x86dd) + Bytes{0x60, 0, 0, 0, 0, length, 58, hop_limit} + address6(source) +
           address6("ff02::1") + Bytes{type, 0, 0, 0, 0, 0, 0, 0} + address6(target) + options;
}

std::optional<policy::Sighting> seen(Bytes frame) {
    ovs::PacketIn packet_in;
    packet_in.packet = std::move(frame);
    packet_in.registers = {42, 7, 0, 0, 0, 0, 0x100a};
    packet_in.userdata = {static_cast<std::uint8_t>(pipeline::PacketInKind::Learn)};
    return read(packet_in);
}

TEST(Sighting, TellsThePortTheVlanAndTheMac) {
    EXPECT_EQ(seen(ethernet(0x0800)), (policy::Sighting{7, 10, mac(kMac), std::nullopt}));
}

TEST(Sighting, ArpTellsTheSendersAddress) {
    EXPECT_EQ(seen(arp({10, 0, 0, 7}))->address, ip("10.0.0.7"));
    EXPECT_EQ(seen(arp({0, 0, 0, 0}))->address, std::nullopt) << "a probe";
    EXPECT_EQ(seen(arp({224, 0, 0, 1}))->address, std::nullopt);
    EXPECT_EQ(seen(arp({127, 0, 0, 1}))->address, std::nullopt);
    EXPECT_EQ(seen(arp({10, 0, 0, 7}, kMac + 1))->address, std::nullopt) << "for another";
    Bytes cut = arp({10, 0, 0, 7});
    cut.resize(14 + 27);
    EXPECT_EQ(seen(cut), (policy::Sighting{7, 10, mac(kMac), std::nullopt}));
}

TEST(Sighting, NeighbourDiscoveryTellsTheSendersAddress) {
    EXPECT_EQ(seen(discovery(135, "fd00::7", "fd00::8"))->address, ip("fd00::7"));
    EXPECT_EQ(seen(discovery(135, "::", "fd00::8"))->address, std::nullopt) << "a probe";
    EXPECT_EQ(seen(discovery(135, "fe80::7", "fd00::8"))->address, std::nullopt);
    EXPECT_EQ(seen(discovery(136, "fe80::7", "fd00::7"))->address, ip("fd00::7"));
    EXPECT_EQ(seen(discovery(136, "fd00::7", "fd00::7", Bytes{2, 1} + bytes_of(kMac)))->address,
              ip("fd00::7"));
    EXPECT_EQ(seen(discovery(136, "fd00::7", "fd00::7", Bytes{2, 1} + bytes_of(kMac + 1)))->address,
              std::nullopt);
    EXPECT_EQ(seen(discovery(136, "fd00::7", "fd00::7", Bytes{2, 0} + bytes_of(kMac)))->address,
              std::nullopt);
    EXPECT_EQ(seen(discovery(136, "fd00::7", "fd00::7", {}, 254))->address, std::nullopt)
        << "a router has passed it on";
    EXPECT_EQ(seen(discovery(128, "fd00::7", "fd00::7"))->address, std::nullopt);
}

TEST(Sighting, WhatIsNoStationOrNotToBeLearnedIsNone) {
    EXPECT_EQ(seen(ethernet(0x0800, 0)), std::nullopt);
    EXPECT_EQ(seen(ethernet(0x0800, 0x010000000001)), std::nullopt);
    EXPECT_EQ(seen(Bytes(13, 2)), std::nullopt);
    ovs::PacketIn other;
    other.packet = ethernet(0x0800);
    other.registers = {42, 7};
    other.userdata = {static_cast<std::uint8_t>(pipeline::PacketInKind::ArpRequest)};
    EXPECT_EQ(read(other), std::nullopt);
    other.userdata = {static_cast<std::uint8_t>(pipeline::PacketInKind::Learn)};
    EXPECT_TRUE(read(other));
    other.registers.clear();
    EXPECT_EQ(read(other), std::nullopt);
}

}  // namespace
}  // namespace hnv::learning
