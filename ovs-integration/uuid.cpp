#include "ovs-integration/uuid.h"

#include <random>

namespace hnv {

namespace {

constexpr std::size_t kTextLength = 36;

constexpr bool is_hyphen_position(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

std::optional<std::uint32_t> hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<std::uint32_t>(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return static_cast<std::uint32_t>(c - 'a' + 10);
    }
    if (c >= 'A' && c <= 'F') {
        return static_cast<std::uint32_t>(c - 'A' + 10);
    }
    return std::nullopt;
}

}  // namespace

std::string Uuid::to_string() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(kTextLength);
    for (const std::uint32_t part : parts) {
        for (int shift = 28; shift >= 0; shift -= 4) {
            if (is_hyphen_position(text.size())) {
                text.push_back('-');
            }
            text.push_back(kDigits[(part >> shift) & 0xfU]);
        }
    }
    return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != kTextLength) {
        return std::nullopt;
    }
    Uuid uuid;
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_hyphen_position(i)) {
            if (text[i] != '-') {
                return std::nullopt;
            }
            continue;
        }
        const auto digit = hex_digit(text[i]);
        if (!digit) {
            return std::nullopt;
        }
        std::uint32_t& part = uuid.parts[digits / 8];
        part = (part << 4) | *digit;
        ++digits;
    }
    return uuid;
}

Uuid Uuid::random() {
    thread_local std::mt19937_64 generator = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }();
    const std::uint64_t high = generator();
    const std::uint64_t low = generator();
    Uuid uuid{{static_cast<std::uint32_t>(high >> 32), static_cast<std::uint32_t>(high),
               static_cast<std::uint32_t>(low >> 32), static_cast<std::uint32_t>(low)}};
    uuid.parts[1] = (uuid.parts[1] & 0xffff0fffU) | 0x4000U;      // Version 4.
    uuid.parts[2] = (uuid.parts[2] & 0x3fffffffU) | 0x80000000U;  // The variant of RFC 4122.
    return uuid;
}

}  // namespace hnv
