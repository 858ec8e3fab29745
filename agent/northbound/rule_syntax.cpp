#include "northbound/rule_syntax.h"

#include <netdb.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <vector>

namespace hnv::northbound {

namespace {

// Of one list, the items that it becomes; the widest IPv6 range takes 254.
constexpr std::size_t kMaxItems = 4096;

[[nodiscard]] std::string_view trim(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
        text.remove_prefix(1);
    }
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.remove_suffix(1);
    }
    return text;
}

template <typename Number>
[[nodiscard]] bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// Calls `item` for each item of a list; `item` returns whether it could read it.
template <typename Item>
[[nodiscard]] Status each_item(std::string_view name, std::string_view list, Item item) {
    list = trim(list);
    if (list.empty() || list == "*") {
        return {};
    }
    while (true) {
        const std::size_t comma = list.find(',');
        const std::string_view text = trim(list.substr(0, comma));
        if (!item(text)) {
            return Error(std::string(name) + ": can't read '" + std::string(text) + "'");
        }
        if (comma == std::string_view::npos) {
            return {};
        }
        list.remove_prefix(comma + 1);
    }
}

using AddressBytes = std::array<std::uint8_t, 16>;

// The last address of the block of 2^free_bits addresses that starts at `first`.
[[nodiscard]] AddressBytes end_of_block(AddressBytes first, unsigned free_bits) {
    for (unsigned bit = 0; bit < free_bits; ++bit) {
        first[15 - bit / 8] = static_cast<std::uint8_t>(first[15 - bit / 8] | 1U << bit % 8);
    }
    return first;
}

[[nodiscard]] unsigned trailing_zeros(const AddressBytes& bytes) {
    unsigned count = 0;
    while (count < 128 && (bytes[15 - count / 8] >> count % 8 & 1) == 0) {
        ++count;
    }
    return count;
}

// The fewest prefixes that cover exactly first..last, both of one family. An IPv6 range that spans
// ::ffff:0:0/96 leaves it out: as a value that block is IPv4, and no packet on a wire has it.
void append_range(const IpAddress& first, const IpAddress& last, std::vector<IpPrefix>& out) {
    const unsigned width = first.is_v4() ? 32 : 128;
    AddressBytes at = first.bytes();
    while (true) {
        unsigned free_bits = std::min(trailing_zeros(at), width);
        while (end_of_block(at, free_bits) > last.bytes()) {
            --free_bits;
        }
        const IpAddress address = IpAddress::from_v6(at);
        if (address.is_v4() == first.is_v4()) {
            out.push_back({address, width - free_bits});
        }
        const AddressBytes end = end_of_block(at, free_bits);
        if (end == last.bytes()) {
            return;
        }
        at = end;
        for (std::size_t i = at.size(); i-- > 0;) {
            at[i] = static_cast<std::uint8_t>(at[i] + 1);
            if (at[i] != 0) {
                break;
            }
        }
    }
}

[[nodiscard]] bool parse_addresses(std::string_view text, std::vector<IpPrefix>& out) {
    const std::size_t dash = text.find('-');
    if (dash != std::string_view::npos) {
        const auto first = IpAddress::parse(trim(text.substr(0, dash)));
        const auto last = IpAddress::parse(trim(text.substr(dash + 1)));
        if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) {
            return false;
        }
        append_range(*first, *last, out);
    } else {
        const auto prefix = IpPrefix::parse(text);
        if (!prefix) {
            return false;
        }
        out.push_back({prefix->network(), prefix->length});
    }
    return out.size() <= kMaxItems;
}

[[nodiscard]] bool parse_ports(std::string_view text, std::vector<policy::PortRange>& out) {
    policy::PortRange range;
    const std::size_t dash = text.find('-');
    const bool read =
        parse_number(trim(text.substr(0, dash)), range.first) &&
        (dash == std::string_view::npos || parse_number(trim(text.substr(dash + 1)), range.last));
    if (dash == std::string_view::npos) {
        range.last = range.first;
    }
    if (!read || range.last < range.first) {
        return false;
    }
    out.push_back(range);
    return out.size() <= kMaxItems;
}

[[nodiscard]] bool parse_protocol(std::string_view text, std::vector<std::uint8_t>& out) {
    if (out.size() == kMaxItems) {
        return false;
    }
    std::uint8_t number = 0;
    if (parse_number(text, number)) {
        out.push_back(number);
        return true;
    }
    std::string keyword(text);
    std::transform(keyword.begin(), keyword.end(), keyword.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // These must work without /etc/protocols; the system's list knows IPv6-ICMP by another name.
    constexpr std::array<std::pair<std::string_view, std::uint8_t>, 9> kKnown{{{"icmp", 1},
                                                                               {"igmp", 2},
                                                                               {"tcp", 6},
                                                                               {"udp", 17},
                                                                               {"gre", 47},
                                                                               {"esp", 50},
                                                                               {"ah", 51},
                                                                               {"icmpv6", 58},
                                                                               {"sctp", 132}}};
    for (const auto& [name, value] : kKnown) {
        if (keyword == name) {
            out.push_back(value);
            return true;
        }
    }
    protoent entry{};
    protoent* found = nullptr;
    std::array<char, 1024> buffer{};
    if (getprotobyname_r(keyword.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return false;
    }
    out.push_back(static_cast<std::uint8_t>(found->p_proto));
    return true;
}

template <typename T>
void sort_unique(std::vector<T>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

Status parse_rule_lists(const RuleLists& lists, policy::RuleSpec& spec) {
    const auto addresses = [](std::vector<IpPrefix>& out) {
        return [&out](std::string_view text) { return parse_addresses(text, out); };
    };
    const auto ports = [](std::vector<policy::PortRange>& out) {
        return [&out](std::string_view text) { return parse_ports(text, out); };
    };
    for (const Status& status :
         {each_item("src_ip_addresses", lists.sources, addresses(spec.sources)),
          each_item("dst_ip_addresses", lists.destinations, addresses(spec.destinations)),
          each_item("src_ports", lists.source_ports, ports(spec.source_ports)),
          each_item("dst_ports", lists.destination_ports, ports(spec.destination_ports)),
          each_item("protocols", lists.protocols, [&spec](std::string_view text) {
              return parse_protocol(text, spec.protocols);
          })}) {
        if (!status) {
            return status;
        }
    }
    sort_unique(spec.sources);
    sort_unique(spec.destinations);
    sort_unique(spec.source_ports);
    sort_unique(spec.destination_ports);
    sort_unique(spec.protocols);
    return {};
}

}  // namespace hnv::northbound
