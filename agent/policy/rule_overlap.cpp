#include "policy/rule_overlap.h"

#include <algorithm>
#include <array>

#include "ovs-integration/wire.h"

namespace hnv::policy {

namespace {

// Whether an address of the family is in both lists; of an empty one every address is. Lists are
// ascending, and prefixes lie within each other or apart: of those that began before, the widest is
// all that has to be remembered.
[[nodiscard]] bool addresses_meet(const std::vector<IpPrefix>& a, const std::vector<IpPrefix>& b,
                                  bool v4) {
    const auto next = [v4](const std::vector<IpPrefix>& list, std::size_t i) {
        while (i < list.size() && list[i].address.is_v4() != v4) {
            ++i;
        }
        return i;
    };
    std::size_t i = next(a, 0);
    std::size_t j = next(b, 0);
    if (a.empty() || b.empty()) {
        return (a.empty() || i < a.size()) && (b.empty() || j < b.size());
    }
    const IpPrefix* widest_a = nullptr;
    const IpPrefix* widest_b = nullptr;
    const auto meets = [](const IpPrefix& begins, const IpPrefix*& own, const IpPrefix* other) {
        if (other != nullptr && other->contains(begins.address)) {
            return true;
        }
        if (own == nullptr || !own->contains(begins.address)) {
            own = &begins;
        }
        return false;
    };
    while (i < a.size() || j < b.size()) {
        if (j == b.size() || (i < a.size() && a[i] < b[j])) {
            if (meets(a[i], widest_a, widest_b)) {
                return true;
            }
            i = next(a, i + 1);
        } else {
            if (meets(b[j], widest_b, widest_a)) {
                return true;
            }
            j = next(b, j + 1);
        }
    }
    return false;
}

// Lists are ascending; an empty one is all ports.
[[nodiscard]] bool ports_meet(const std::vector<PortRange>& a, const std::vector<PortRange>& b) {
    if (a.empty() || b.empty()) {
        return true;
    }
    // Ranges may lie within each other: how far those reach that began before.
    int end_a = -1;
    int end_b = -1;
    for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
        if (j == b.size() || (i < a.size() && a[i].first <= b[j].first)) {
            if (a[i].first <= end_b) {
                return true;
            }
            end_a = std::max<int>(end_a, a[i++].last);
        } else {
            if (b[j].first <= end_a) {
                return true;
            }
            end_b = std::max<int>(end_b, b[j++].last);
        }
    }
    return false;
}

// Whether the rule is for packets of the protocol in that version of IP.
[[nodiscard]] bool takes(const RuleSpec& rule, unsigned protocol, bool v4) {
    const auto number = static_cast<std::uint8_t>(protocol);
    const bool ports = !rule.source_ports.empty() || !rule.destination_ports.empty();
    return wire::exists_in(number, v4) && (!ports || wire::has_ports(number)) &&
           (rule.protocols.empty() || std::ranges::binary_search(rule.protocols, number));
}

[[nodiscard]] bool protocols_meet(const RuleSpec& a, const RuleSpec& b, bool v4) {
    for (unsigned protocol = 0; protocol <= 0xff; ++protocol) {
        if (takes(a, protocol, v4) && takes(b, protocol, v4)) {
            return true;
        }
    }
    return false;
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
    if (!ports_meet(a.source_ports, b.source_ports) ||
        !ports_meet(a.destination_ports, b.destination_ports)) {
        return false;
    }
    return std::ranges::any_of(std::array{true, false}, [&](bool v4) {
        return protocols_meet(a, b, v4) && addresses_meet(a.sources, b.sources, v4) &&
               addresses_meet(a.destinations, b.destinations, v4);
    });
}

}  // namespace hnv::policy
