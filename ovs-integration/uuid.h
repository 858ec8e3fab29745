// A row's identity in an OVSDB database (RFC 4122 text form, RFC 7047 section 3.1 <uuid>).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hnv {

struct Uuid {
    std::array<std::uint32_t, 4> parts{};

    [[nodiscard]] bool is_zero() const { return *this == Uuid{}; }
    // "01234567-89ab-cdef-0123-456789abcdef", lower case.
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
    // A new one, random (RFC 4122 section 4.4). Any thread.
    [[nodiscard]] static Uuid random();

    auto operator<=>(const Uuid&) const = default;
};

}  // namespace hnv

template <>
struct std::hash<hnv::Uuid> {
    // Row ids are random already: mixing two words is enough.
    std::size_t operator()(const hnv::Uuid& uuid) const noexcept {
        return (static_cast<std::size_t>(uuid.parts[0]) << 32) ^
               (static_cast<std::size_t>(uuid.parts[1]) * 0x9e3779b97f4a7c15U) ^ uuid.parts[2] ^
               (static_cast<std::size_t>(uuid.parts[3]) << 16);
    }
};
