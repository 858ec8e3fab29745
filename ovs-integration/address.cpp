#include "ovs-integration/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>

namespace hnv {

namespace {

constexpr std::array<std::uint8_t, 12> kV4Mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

[[nodiscard]] int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

// Bytes of the 16 that a prefix of `length` bits keeps whole, and the mask of the one after.
[[nodiscard]] IpAddress clear_after(const IpAddress& address, unsigned bits) {
    auto bytes = address.bytes();
    for (unsigned i = 0; i < bytes.size(); ++i) {
        const unsigned first = i * 8;
        if (first >= bits) {
            bytes[i] = 0;
        } else if (first + 8 > bits) {
            bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> (bits - first)));
        }
    }
    return IpAddress::from_v6(bytes);
}

[[nodiscard]] unsigned bits_in_bytes(const IpPrefix& prefix) {
    return prefix.length + (prefix.address.is_v4() ? 96 : 0);
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    if (text.size() != 17) {
        return std::nullopt;
    }
    const char separator = text[2];
    if (separator != ':' && separator != '-') {
        return std::nullopt;
    }
    MacAddress mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        const int high = hex_digit(text[i * 3]);
        const int low = hex_digit(text[i * 3 + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != separator)) {
            return std::nullopt;
        }
        mac.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return mac;
}

MacAddress MacAddress::from_bits(std::uint64_t bits) {
    MacAddress mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        mac.bytes[i] = static_cast<std::uint8_t>(bits >> (40 - 8 * i));
    }
    return mac;
}

std::string MacAddress::to_string() const {
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                  bytes[2], bytes[3], bytes[4], bytes[5]);
    return text.data();
}

std::uint64_t MacAddress::bits() const {
    std::uint64_t bits = 0;
    for (const std::uint8_t byte : bytes) {
        bits = bits << 8 | byte;
    }
    return bits;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    text.copy(terminated.data(), text.size());
    in_addr v4{};
    if (inet_pton(AF_INET, terminated.data(), &v4) == 1) {
        return from_v4(ntohl(v4.s_addr));
    }
    std::array<std::uint8_t, 16> v6{};
    if (inet_pton(AF_INET6, terminated.data(), v6.data()) == 1) {
        return from_v6(v6);
    }
    return std::nullopt;
}

IpAddress IpAddress::from_v4(std::uint32_t address) {
    IpAddress ip;
    std::memcpy(ip.bytes_.data(), kV4Mapped.data(), kV4Mapped.size());
    for (std::size_t i = 0; i < 4; ++i) {
        ip.bytes_[12 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
    }
    return ip;
}

IpAddress IpAddress::from_v6(const std::array<std::uint8_t, 16>& bytes) {
    IpAddress ip;
    ip.bytes_ = bytes;
    return ip;
}

bool IpAddress::is_v4() const {
    return std::memcmp(bytes_.data(), kV4Mapped.data(), kV4Mapped.size()) == 0;
}

std::uint32_t IpAddress::v4() const {
    return static_cast<std::uint32_t>(bytes_[12]) << 24 |
           static_cast<std::uint32_t>(bytes_[13]) << 16 |
           static_cast<std::uint32_t>(bytes_[14]) << 8 | bytes_[15];
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4()) {
        inet_ntop(AF_INET, bytes_.data() + kV4Mapped.size(), text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
    }
    return text.data();
}

IpAddress link_local_of(const MacAddress& mac) {
    constexpr std::uint8_t kUniversal = 0x02;  // Inverted.
    const auto& m = mac.bytes;
    return IpAddress::from_v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0,
                               static_cast<std::uint8_t>(m[0] ^ kUniversal), m[1], m[2], 0xff, 0xfe,
                               m[3], m[4], m[5]});
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    const unsigned longest = address->is_v4() ? 32 : 128;
    IpPrefix prefix{*address, longest};
    if (slash == std::string_view::npos) {
        return prefix;
    }
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), prefix.length);
    if (error != std::errc() || end != digits.data() + digits.size() || prefix.length > longest) {
        return std::nullopt;
    }
    return prefix;
}

std::string IpPrefix::to_string() const {
    return address.to_string() + "/" + std::to_string(length);
}

IpAddress IpPrefix::network() const { return clear_after(address, bits_in_bytes(*this)); }

bool IpPrefix::contains(const IpAddress& other) const {
    return other.is_v4() == address.is_v4() &&
           clear_after(other, bits_in_bytes(*this)) == network();
}

}  // namespace hnv
