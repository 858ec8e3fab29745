// Any bytes as a firewall rule's five lists, one a line: what is read is in normal form and of
// bounded size, and what is not read says why.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "northbound/rule_syntax.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

// A list's items, and what the widest range makes of the last of them.
constexpr std::size_t kMaxItems = 4096;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

template <typename T>
void check_list(const std::vector<T>& list) {
    require(list.size() <= kMaxItems);
    // Sorted, and each item once.
    require(std::adjacent_find(list.begin(), list.end(),
                               [](const T& a, const T& b) { return !(a < b); }) == list.end());
}

void check_addresses(const std::vector<IpPrefix>& list) {
    check_list(list);
    for (const IpPrefix& prefix : list) {
        require(prefix.length <= (prefix.address.is_v4() ? 32U : 128U));
        require(!prefix.has_host_bits());
        // Its text names the same prefix.
        require(IpPrefix::parse(prefix.to_string()) == prefix);
    }
}

void check_ports(const std::vector<policy::PortRange>& list) {
    check_list(list);
    for (const policy::PortRange& range : list) {
        require(range.first <= range.last);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    std::array<std::string_view, 5> lists;
    for (std::string_view& list : lists) {
        list = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(list.size() + 1, rest.size()));
    }
    policy::RuleSpec spec;
    const Status status =
        northbound::parse_rule_lists({lists[0], lists[1], lists[2], lists[3], lists[4]}, spec);
    if (!status) {
        require(!status.error().message().empty());
        return 0;
    }
    check_addresses(spec.sources);
    check_addresses(spec.destinations);
    check_ports(spec.source_ports);
    check_ports(spec.destination_ports);
    check_list(spec.protocols);
    return 0;
}
