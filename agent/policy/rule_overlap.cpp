#include "policy/rule_overlap.h"

#include <algorithm>

#include "ovs-integration/wire.h"

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

[[nodiscard]] bool any_of_family(const std::vector<IpPrefix>& prefixes, bool v4) {
    return prefixes.empty() ||
           std::any_of(prefixes.begin(), prefixes.end(),
                       [v4](const auto& each) { return each.address.is_v4() == v4; });
}

}  // namespace

bool can_match(const RuleSpec& rule) {
    const bool ports = !rule.source_ports.empty() || !rule.destination_ports.empty();
    for (const bool v4 : {true, false}) {
        const bool protocol =
            rule.protocols.empty() ||
            std::any_of(rule.protocols.begin(), rule.protocols.end(), [&](std::uint8_t each) {
                return wire::exists_in(each, v4) && (!ports || wire::has_ports(each));
            });
        if (protocol && any_of_family(rule.sources, v4) && any_of_family(rule.destinations, v4)) {
            return true;
        }
    }
    return false;
}

bool overlap(const RuleSpec& a, const RuleSpec& b) {
    return any_meet(a.sources, b.sources, prefixes_meet) &&
           any_meet(a.destinations, b.destinations, prefixes_meet) &&
           any_meet(a.source_ports, b.source_ports, ranges_meet) &&
           any_meet(a.destination_ports, b.destination_ports, ranges_meet) &&
           any_meet(a.protocols, b.protocols, std::equal_to<>{});
}

}  // namespace hnv::policy
