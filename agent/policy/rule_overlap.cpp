#include "policy/rule_overlap.h"

#include <algorithm>

namespace hnv::policy {

namespace {

// Lists where empty means any.
template <typename T, typename Meet>
[[nodiscard]] bool any_meet(const std::vector<T>& a, const std::vector<T>& b, Meet meet) {
    if (a.empty() || b.empty()) {
        return true;
    }
    return std::any_of(a.begin(), a.end(), [&](const T& x) {
        return std::any_of(b.begin(), b.end(), [&](const T& y) { return meet(x, y); });
    });
}

[[nodiscard]] bool prefixes_meet(const IpPrefix& a, const IpPrefix& b) {
    return a.length <= b.length ? a.contains(b.address) : b.contains(a.address);
}

[[nodiscard]] bool ranges_meet(const PortRange& a, const PortRange& b) {
    return a.first <= b.last && b.first <= a.last;
}

}  // namespace

bool overlap(const RuleSpec& a, const RuleSpec& b) {
    return any_meet(a.sources, b.sources, prefixes_meet) &&
           any_meet(a.destinations, b.destinations, prefixes_meet) &&
           any_meet(a.source_ports, b.source_ports, ranges_meet) &&
           any_meet(a.destination_ports, b.destination_ports, ranges_meet) &&
           any_meet(a.protocols, b.protocols, std::equal_to<>{});
}

}  // namespace hnv::policy
