// Ethernet and IP addresses as values.
//
// Parsing takes every valid spelling (contract: MACs with colons or dashes in either case);
// to_string() gives the canonical one (lower case, colons; RFC 5952 for IPv6). Equality is by
// value.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hnv {

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    [[nodiscard]] static std::optional<MacAddress> parse(std::string_view text);
    [[nodiscard]] static MacAddress from_bits(std::uint64_t bits);
    [[nodiscard]] std::string to_string() const;
    // The 48 bits, first byte most significant.
    [[nodiscard]] std::uint64_t bits() const;
    [[nodiscard]] bool is_multicast() const { return (bytes[0] & 1) != 0; }

    auto operator<=>(const MacAddress&) const = default;
};

// An IPv4 or IPv6 address. IPv4 is held in its v4-mapped form (RFC 4291 section 2.5.5.2), so that
// one type and one hash serve both; a v4-mapped IPv6 literal therefore reads as IPv4.
class IpAddress {
  public:
    IpAddress() = default;  // "::"
    [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
    // Host byte order.
    [[nodiscard]] static IpAddress from_v4(std::uint32_t address);
    [[nodiscard]] static IpAddress from_v6(const std::array<std::uint8_t, 16>& bytes);

    [[nodiscard]] bool is_v4() const;
    // Precondition: is_v4(). Host byte order.
    [[nodiscard]] std::uint32_t v4() const;
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
    [[nodiscard]] std::string to_string() const;

    auto operator<=>(const IpAddress&) const = default;

  private:
    std::array<std::uint8_t, 16> bytes_{};
};

// Of an interface with that MAC: fe80::/64 and the modified EUI-64 (RFC 4291 appendix A).
[[nodiscard]] IpAddress link_local_of(const MacAddress& mac);

// Address and prefix length (0..32 or 0..128). The host bits are kept as given.
struct IpPrefix {
    IpAddress address;
    unsigned length = 0;

    // "10.1.1.0/24", "2001:db8::/64"; without a slash the full length.
    [[nodiscard]] static std::optional<IpPrefix> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    // The address with its host bits cleared.
    [[nodiscard]] IpAddress network() const;
    [[nodiscard]] bool contains(const IpAddress& other) const;
    [[nodiscard]] bool has_host_bits() const { return network() != address; }

    auto operator<=>(const IpPrefix&) const = default;
};

}  // namespace hnv

template <>
struct std::hash<hnv::MacAddress> {
    std::size_t operator()(const hnv::MacAddress& mac) const noexcept {
        return mac.bits() * 0x9e3779b97f4a7c15U;
    }
};

template <>
struct std::hash<hnv::IpAddress> {
    std::size_t operator()(const hnv::IpAddress& address) const noexcept {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        std::memcpy(&high, address.bytes().data(), sizeof high);
        std::memcpy(&low, address.bytes().data() + sizeof high, sizeof low);
        return (high ^ (low * 0x9e3779b97f4a7c15U)) * 0xff51afd7ed558ccdU;
    }
};
