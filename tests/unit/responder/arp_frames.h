// ARP frames for tests, with every field open to being wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::test {

struct ArpFields {
    MacAddress eth_destination = MacAddress::from_bits(0xffffffffffffU);
    MacAddress eth_source = MacAddress::from_bits(0x020000000012U);
    std::uint16_t eth_type = 0x0806;
    std::uint16_t hardware_type = 1;
    std::uint16_t protocol_type = 0x0800;
    std::uint8_t hardware_length = 6;
    std::uint8_t protocol_length = 4;
    std::uint16_t operation = 1;
    MacAddress sender_mac = MacAddress::from_bits(0x020000000012U);
    std::uint32_t sender_ip = 0x0a01010cU;  // 10.1.1.12
    MacAddress target_mac;
    std::uint32_t target_ip = 0x0a01010bU;  // 10.1.1.11
};

inline std::vector<std::uint8_t> arp_frame(const ArpFields& fields) {
    std::vector<std::uint8_t> frame;
    const auto number = [&frame](std::uint64_t value, unsigned bytes) {
        for (unsigned i = bytes; i-- > 0;) {
            frame.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        }
    };
    number(fields.eth_destination.bits(), 6);
    number(fields.eth_source.bits(), 6);
    number(fields.eth_type, 2);
    number(fields.hardware_type, 2);
    number(fields.protocol_type, 2);
    number(fields.hardware_length, 1);
    number(fields.protocol_length, 1);
    number(fields.operation, 2);
    number(fields.sender_mac.bits(), 6);
    number(fields.sender_ip, 4);
    number(fields.target_mac.bits(), 6);
    number(fields.target_ip, 4);
    return frame;
}

}  // namespace hnv::test
