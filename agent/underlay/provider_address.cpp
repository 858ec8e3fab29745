#include "underlay/provider_address.h"

#include <array>
#include <cstddef>
#include <set>

namespace hnv::underlay {
namespace {

constexpr std::string_view kInterfacePrefix = "hnvpa-";
constexpr std::string_view kBridgePrefix = "hnvu-";
constexpr std::string_view kInnerPatchPrefix = "hnvt-";
constexpr std::string_view kOuterPatchPrefix = "hnvv-";
constexpr std::size_t kMaxName = 15;  // IFNAMSIZ without the terminator.
constexpr std::uint32_t kMarkBits = 0x00ffffff;
// The first byte of a MAC address: locally administered, unicast. One for each use.
constexpr std::uint8_t kV4Mac = 0x02;
constexpr std::uint8_t kV6Mac = 0x06;
constexpr std::uint8_t kBridgeMac = 0x0a;

// FNV-1a, 64 bits: what it gives is part of names on disk and must never change.
std::uint64_t hash_of(std::span<const std::uint8_t> bytes) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const std::uint8_t byte : bytes) {
        hash = (hash ^ byte) * 0x100000001b3U;
    }
    return hash ^ (hash >> 32);
}

std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) {
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
    }
    return hash ^ (hash >> 32);
}

std::string hex(std::uint64_t value, std::size_t digits) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value >>= 4) {
        text[i] = kHex[value & 0xf];
    }
    return text;
}

MacAddress mac_of(std::uint8_t first, std::uint64_t rest) {
    constexpr int kFirstShift = 40;
    return MacAddress::from_bits(std::uint64_t{first} << kFirstShift |
                                 (rest & 0x000000ffffffffffU));
}

}  // namespace

std::map<IpAddress, std::uint32_t> marks_of(std::span<const ProviderAddressConfig> addresses) {
    std::map<IpAddress, std::uint32_t> marks;
    for (const ProviderAddressConfig& config : addresses) {
        marks.emplace(config.address.address, 0);
    }
    std::set<std::uint32_t> taken;
    for (auto& [address, mark] : marks) {
        auto bits = static_cast<std::uint32_t>(hash_of(address.bytes())) & kMarkBits;
        while (!taken.insert(bits).second) {
            bits = (bits + 1) & kMarkBits;
        }
        mark = kFirstMark | bits;
    }
    return marks;
}

std::string interface_name(std::uint32_t mark) {
    return std::string(kInterfacePrefix) + hex(mark & kMarkBits, 6);
}

bool is_interface_name(std::string_view name) { return name.starts_with(kInterfacePrefix); }

std::string bridge_name(std::string_view nic) {
    std::string name(kBridgePrefix);
    if (name.size() + nic.size() <= kMaxName) {
        return name.append(nic);
    }
    return name + hex(hash_of(nic), kMaxName - kBridgePrefix.size());
}

PatchNames patch_names(std::string_view uplink) {
    const std::string digits = hex(hash_of(uplink) & kMarkBits, 6);
    return {std::string(kInnerPatchPrefix) + digits, std::string(kOuterPatchPrefix) + digits};
}

MacAddress interface_mac(const IpAddress& address) {
    constexpr std::uint64_t kTag = 0x48;
    constexpr int kTagShift = 32;
    return address.is_v4() ? mac_of(kV4Mac, kTag << kTagShift | address.v4())
                           : mac_of(kV6Mac, hash_of(address.bytes()));
}

MacAddress bridge_mac(const MacAddress& nic) { return mac_of(kBridgeMac, hash_of(nic.bytes)); }

}  // namespace hnv::underlay
