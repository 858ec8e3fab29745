// Messages of a guest that asks for its configuration, byte by byte, and what is in the answers:
// written from the RFCs, apart from the code that they try.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ip_frames.h"
#include "policy/leases.h"

namespace hnv::test {

using Octets = std::vector<std::uint8_t>;

inline const MacAddress kGuestMac = MacAddress::from_bits(0x00155d50010b);
inline const MacAddress kRouterMac = MacAddress::from_bits(0x00155dfffffe);
inline const IpAddress kGuestLinkLocal = IpAddress::parse("fe80::215:5dff:fe50:10b").value();
inline const IpAddress kRouterLinkLocal = IpAddress::parse("fe80::215:5dff:feff:fffe").value();

// Everything that a guest can be told.
inline policy::GuestConfig guest_config() {
    policy::GuestConfig config;
    config.ofport = 7;
    config.vsid = 5001;
    config.mac = kGuestMac;
    config.router_mac = kRouterMac;
    config.v4 = IpPrefix::parse("10.1.1.11/24");
    config.v6 = IpPrefix::parse("fd00:1::11/64");
    config.server = IpAddress::parse("10.1.1.1").value();
    config.routers = {IpAddress::parse("10.1.1.1").value()};
    config.dns_v4 = {IpAddress::parse("10.1.1.5").value(), IpAddress::parse("10.1.1.6").value()};
    config.dns_v6 = {IpAddress::parse("fd00:1::5").value()};
    config.domain = "contoso.example";
    config.mtu = 1450;
    config.lease_seconds = 3600;
    config.advertised = true;
    config.default_router = true;
    return config;
}

inline void add(Octets& to, std::span<const std::uint8_t> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}
inline void add16(Octets& to, std::size_t value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8));
    to.push_back(static_cast<std::uint8_t>(value));
}
inline void add32(Octets& to, std::uint32_t value) {
    add16(to, value >> 16);
    add16(to, value & 0xffff);
}

// The checksum of a run of 16 bit words, as RFC 1071 has it.
inline std::uint16_t word_sum(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

struct UdpFields {
    MacAddress mac = kGuestMac;
    IpAddress source;
    IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

// Without a UDP checksum, as of a guest that leaves it to its adapter.
inline Octets udp_frame(const UdpFields& fields, const Octets& payload) {
    const bool v4 = fields.source.is_v4();
    Octets frame(6, 0xff);
    add(frame, fields.mac.bytes);
    add16(frame, v4 ? 0x0800 : 0x86dd);
    if (v4) {
        Octets header{0x45, 0};
        add16(header, 20 + 8 + payload.size());
        add(header, Octets{0, 0, 0, 0, 64, 17, 0, 0});
        add32(header, fields.source.v4());
        add32(header, fields.destination.v4());
        const auto sum = static_cast<std::uint16_t>(~word_sum(header));
        header[10] = static_cast<std::uint8_t>(sum >> 8);
        header[11] = static_cast<std::uint8_t>(sum);
        add(frame, header);
    } else {
        add(frame, Octets{0x60, 0, 0, 0});
        add16(frame, 8 + payload.size());
        add(frame, Octets{17, 1});
        add(frame, fields.source.bytes());
        add(frame, fields.destination.bytes());
    }
    add16(frame, fields.source_port);
    add16(frame, fields.destination_port);
    add16(frame, 8 + payload.size());
    add16(frame, 0);
    add(frame, payload);
    return frame;
}

// --- DHCP ---
struct DhcpFields {
    std::uint8_t type = 1;
    MacAddress chaddr = kGuestMac;
    std::uint32_t ciaddr = 0;
    std::uint32_t giaddr = 0;
    std::uint16_t flags = 0;
    std::string_view source = "0.0.0.0";
    std::string_view destination = "255.255.255.255";
    Octets options{};  // Besides the type.
};

inline Octets dhcp_payload(const DhcpFields& fields) {
    Octets payload{1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0};
    add16(payload, fields.flags);
    add32(payload, fields.ciaddr);
    payload.resize(24);
    add32(payload, fields.giaddr);
    add(payload, fields.chaddr.bytes);
    payload.resize(236);
    add(payload, Octets{99, 130, 83, 99, 53, 1, fields.type});
    add(payload, fields.options);
    payload.push_back(255);
    return payload;
}

inline Octets dhcp_frame(const DhcpFields& fields) {
    return udp_frame({kGuestMac, IpAddress::parse(fields.source).value(),
                      IpAddress::parse(fields.destination).value(), 68, 67},
                     dhcp_payload(fields));
}

// An answer, taken apart.
struct DhcpAnswer {
    MacAddress to;
    MacAddress from;
    std::string source;
    std::string destination;
    std::uint32_t ciaddr = 0;
    std::uint32_t yiaddr = 0;
    std::map<int, Octets> options;

    [[nodiscard]] int type() const { return options.at(53).at(0); }
};

inline std::uint32_t number32(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::uint32_t>(bytes[at]) << 24 |
           static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
           static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}
inline std::size_t number16(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::size_t>(bytes[at]) << 8 | bytes[at + 1];
}
inline MacAddress mac_at(std::span<const std::uint8_t> bytes, std::size_t at) {
    return MacAddress::from_bits(static_cast<std::uint64_t>(number32(bytes, at)) << 16 |
                                 number16(bytes, at + 4));
}

// nullopt: a length, a checksum or a constant in it is wrong.
inline std::optional<DhcpAnswer> take_apart_dhcp(std::span<const std::uint8_t> frame) {
    constexpr std::size_t kMessage = 14 + 20 + 8;
    if (frame.size() < kMessage + 241 || number16(frame, 12) != 0x0800 || frame[14] != 0x45 ||
        number16(frame, 16) != frame.size() - 14 || word_sum(frame.subspan(14, 20)) != 0xffff ||
        number16(frame, 34) != 67 || number16(frame, 36) != 68 ||
        number16(frame, 38) != frame.size() - 34) {
        return std::nullopt;
    }
    const auto pseudo = static_cast<std::uint32_t>(17 + frame.size() - 34);
    if (word_sum(frame.subspan(26), pseudo) != 0xffff) {
        return std::nullopt;
    }
    const auto message = frame.subspan(kMessage);
    if (message[0] != 2 || message[1] != 1 || message[2] != 6 ||
        number32(message, 4) != 0xdeadbeef || number32(message, 236) != 0x63825363) {
        return std::nullopt;
    }
    DhcpAnswer answer{mac_at(frame, 0),
                      mac_at(frame, 6),
                      IpAddress::from_v4(number32(frame, 26)).to_string(),
                      IpAddress::from_v4(number32(frame, 30)).to_string(),
                      number32(message, 12),
                      number32(message, 16),
                      {}};
    std::size_t at = 240;
    while (at < message.size() && message[at] != 255) {
        if (at + 2 > message.size() || at + 2 + message[at + 1] > message.size()) {
            return std::nullopt;
        }
        const auto value = message.subspan(at + 2, message[at + 1]);
        answer.options[message[at]] = Octets(value.begin(), value.end());
        at += 2U + message[at + 1];
    }
    return at + 1 == message.size() ? std::optional(answer) : std::nullopt;
}

// --- DHCPv6 ---
inline Octets option6(std::size_t code, const Octets& value) {
    Octets option;
    add16(option, code);
    add16(option, value.size());
    add(option, value);
    return option;
}
inline const Octets kClientDuid{0, 3, 0, 1, 0x00, 0x15, 0x5d, 0x50, 0x01, 0x0b};
inline const Octets kServerDuid{0, 3, 0, 1, 0x00, 0x15, 0x5d, 0xff, 0xff, 0xfe};

inline Octets operator+(Octets one, const Octets& other) {
    add(one, other);
    return one;
}

inline Octets ia_address(std::string_view address) {
    Octets value;
    add(value, IpAddress::parse(address).value().bytes());
    value.resize(24);
    return option6(5, value);
}
inline Octets ia_na(std::uint32_t id, const Octets& options = {}) {
    Octets value;
    add32(value, id);
    value.resize(12);
    add(value, options);
    return option6(3, value);
}
inline Octets dhcpv6_message(std::uint8_t type, const Octets& options) {
    return Octets{type, 1, 2, 3} + options;
}
inline Octets dhcpv6_frame(std::uint8_t type, const Octets& options,
                           const MacAddress& mac = kGuestMac) {
    return udp_frame({mac, kGuestLinkLocal, IpAddress::parse("ff02::1:2").value(), 546, 547},
                     dhcpv6_message(type, options));
}

// The options of an answer, in order.
using Options6 = std::vector<std::pair<std::size_t, Octets>>;
inline std::optional<Options6> options6(std::span<const std::uint8_t> bytes) {
    Options6 options;
    while (!bytes.empty()) {
        if (bytes.size() < 4 || bytes.size() - 4 < number16(bytes, 2)) {
            return std::nullopt;
        }
        const auto value = bytes.subspan(4, number16(bytes, 2));
        options.emplace_back(number16(bytes, 0), Octets(value.begin(), value.end()));
        bytes = bytes.subspan(4 + value.size());
    }
    return options;
}
struct Dhcpv6Answer {
    int type = 0;
    Options6 options;

    [[nodiscard]] std::optional<Octets> get(std::size_t code) const {
        for (const auto& [each, value] : options) {
            if (each == code) {
                return value;
            }
        }
        return std::nullopt;
    }
};

inline std::optional<Dhcpv6Answer> take_apart_dhcpv6(std::span<const std::uint8_t> frame) {
    constexpr std::size_t kUdp = 14 + 40;
    if (frame.size() < kUdp + 8 + 4 || number16(frame, 12) != 0x86dd ||
        number16(frame, 18) != frame.size() - kUdp || frame[20] != 17 ||
        mac_at(frame, 0) != kGuestMac || mac_at(frame, 6) != kRouterMac ||
        !std::ranges::equal(frame.subspan(22, 16), kRouterLinkLocal.bytes()) ||
        number16(frame, kUdp) != 547 || number16(frame, kUdp + 2) != 546 ||
        number16(frame, kUdp + 4) != frame.size() - kUdp) {
        return std::nullopt;
    }
    const auto pseudo = static_cast<std::uint32_t>(17 + frame.size() - kUdp);
    const auto message = frame.subspan(kUdp + 8);
    const auto options = options6(message.subspan(4));
    if (word_sum(frame.subspan(22), pseudo) != 0xffff || !options || message[1] != 1 ||
        message[2] != 2 || message[3] != 3) {
        return std::nullopt;
    }
    return Dhcpv6Answer{message[0], *options};
}

// --- router discovery ---
inline Octets router_solicitation(const IpAddress& source = kGuestLinkLocal,
                                  const Octets& options = {1, 1, 0x00, 0x15, 0x5d, 0x50, 1, 0x0b}) {
    Octets frame{0x33, 0x33, 0, 0, 0, 2};
    add(frame, kGuestMac.bytes);
    add(frame, Octets{0x86, 0xdd, 0x60, 0, 0, 0});
    add16(frame, 8 + options.size());
    add(frame, Octets{58, 255});
    add(frame, source.bytes());
    add(frame, IpAddress::parse("ff02::2").value().bytes());
    add(frame, Octets{133, 0, 0, 0, 0, 0, 0, 0});
    add(frame, options);
    return with_icmpv6_checksum(std::move(frame));
}

}  // namespace hnv::test
