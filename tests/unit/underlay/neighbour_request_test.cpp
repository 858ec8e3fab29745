#include "underlay/neighbour_request.h"

#include <gtest/gtest.h>

#include <string>

namespace hnv::underlay {
namespace {

std::string hex(const std::vector<std::uint8_t>& bytes) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kHex[byte >> 4];
        text += kHex[byte & 0xf];
    }
    return text;
}

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
const MacAddress kMac = MacAddress::parse("02:48:0a:09:00:0b").value();

TEST(NeighbourRequest, IsAnArpRequestToAll) {
    EXPECT_EQ(hex(neighbour_request(kMac, ip("10.9.0.11"), ip("10.9.0.1"))),
              "ffffffffffff"
              "02480a09000b"
              "0806"
              "0001080006040001"
              "02480a09000b"
              "0a09000b"
              "000000000000"
              "0a090001");
}

TEST(NeighbourRequest, IsASolicitationToTheNodesGroup) {
    EXPECT_EQ(hex(neighbour_request(kMac, ip("2001:db8::11"), ip("2001:db8::1:2:3"))),
              "3333ff020003"
              "02480a09000b"
              "86dd"
              "6000000000203aff"
              "20010db8000000000000000000000011"
              "ff0200000000000000000001ff020003"
              "870011b500000000"
              "20010db8000000000000000100020003"
              "010102480a09000b");
}

TEST(Announcement, IsGratuitousArp) {
    EXPECT_EQ(hex(announcement(kMac, ip("10.9.0.11"))),
              "ffffffffffff"
              "02480a09000b"
              "0806"
              "0001080006040001"
              "02480a09000b"
              "0a09000b"
              "000000000000"
              "0a09000b");
}

TEST(Announcement, IsAnAdvertisementToAllNodes) {
    const std::string frame = hex(announcement(kMac, ip("2001:db8::11")));
    EXPECT_EQ(frame.substr(0, 28), "33330000000102480a09000b86dd");
    EXPECT_EQ(frame.substr(76, 32), "ff020000000000000000000000000001");
    EXPECT_EQ(frame.substr(108, 4), "8800");
    EXPECT_EQ(frame.substr(116), "2000000020010db8000000000000000000000011020102480a09000b");
}

}  // namespace
}  // namespace hnv::underlay
