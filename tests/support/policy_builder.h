// A policy model for tests, filled in few words: rows are named by small numbers, addresses by
// their text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/model.h"

namespace hnv::test {

inline Uuid uuid(std::uint32_t number) { return {{number, 0x5eed, 0, 0}}; }
inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }
inline MacAddress mac(std::uint64_t bits) { return MacAddress::from_bits(bits); }

// A guest's interface as underlay/ would report it.
inline policy::InterfaceSpec plug(const std::string& port, std::uint32_t ofport,
                                  std::uint64_t attached_mac) {
    return {"if-" + port, ofport, port, mac(attached_mac).to_string(), "vm-" + port};
}

inline policy::RuleSpec rule(const std::string& port, policy::Direction direction,
                             policy::RuleAction action = policy::RuleAction::Allow,
                             std::uint16_t priority = 100) {
    policy::RuleSpec spec;
    spec.port = port;
    spec.id = "rule-" + std::to_string(priority);
    spec.layer = policy::RuleLayer::Controller;
    spec.action = action;
    spec.direction = direction;
    spec.priority = priority;
    spec.enabled = true;
    return spec;
}

class PolicyBuilder {
  public:
    policy::NeighbourTable neighbours;
    policy::Faults faults;
    policy::Model model{neighbours, faults};

    void subnet(std::uint32_t row, std::uint32_t vsid) {
        model.put(uuid(row), policy::SubnetSpec{vsid, "subnet-" + std::to_string(row), "rdid"});
    }
    void router(std::uint32_t row,
                const std::vector<std::pair<const char*, std::uint32_t>>& bindings,
                bool enabled = true) {
        policy::RouterSpec spec{"router-" + std::to_string(row), enabled, {}};
        for (const auto& [text, subnet] : bindings) {
            spec.bindings.push_back({prefix(text), uuid(subnet)});
        }
        model.put(uuid(row), std::move(spec));
    }
    void locator(std::uint32_t row, std::string_view pa,
                 policy::Encapsulation encapsulation = policy::Encapsulation::Vxlan) {
        model.put(uuid(row), policy::LocatorSpec{encapsulation, ip(pa)});
    }
    // An empty `ca` makes a MAC-only mapping.
    void mapping(std::uint32_t row, std::uint32_t subnet, std::uint32_t locator,
                 std::uint64_t mac_bits, std::string_view ca,
                 policy::MappingType type = policy::MappingType::Default) {
        model.put(uuid(row),
                  policy::MappingSpec{uuid(subnet), uuid(locator), mac(mac_bits), type,
                                      ca.empty() ? std::nullopt : std::optional(ip(ca))});
    }
    void port(std::uint32_t row, const std::string& name, std::uint32_t subnet) {
        model.put(uuid(row), policy::PortSpec{name, {{std::uint16_t{0}, uuid(subnet)}}});
    }
    // Rows `row` and `row` + 1.
    void allow_all(std::uint32_t row, const std::string& port) {
        model.put(uuid(row), rule(port, policy::Direction::Inbound));
        model.put(uuid(row + 1), rule(port, policy::Direction::Outbound));
    }
    void provider_address(std::uint32_t row, std::string_view address) {
        model.put(uuid(row), policy::ProviderAddressSpec{prefix(address), "br-pa"});
    }
    void remove(policy::SourceTable table, std::uint32_t row) { model.remove({table, uuid(row)}); }

    std::vector<policy::ObjectId> commit() { return model.commit(); }

    // The fault's message; empty when there is none.
    [[nodiscard]] std::string fault(policy::SourceTable table, std::uint32_t row,
                                    policy::FaultKey key) const {
        const auto entry = faults.all().find({{table, uuid(row)}, key});
        return entry == faults.all().end() ? "" : entry->second;
    }
    [[nodiscard]] policy::PortStatus status(std::string_view name) const {
        policy::PortStatus found;
        model.for_each_port([&](const policy::PortStatus& status) {
            if (status.name == name) {
                found = status;
            }
        });
        return found;
    }
    // Of a kind, those that own flows.
    [[nodiscard]] std::vector<policy::ObjectId> objects(policy::ObjectKind kind) const {
        std::vector<policy::ObjectId> ids;
        model.for_each_object([&](const policy::ObjectId& id) {
            if (id.kind == kind) {
                ids.push_back(id);
            }
        });
        std::sort(ids.begin(), ids.end());
        return ids;
    }
    // The view of the subnet in force with this VSID.
    [[nodiscard]] std::optional<policy::SubnetView> subnet_view(std::uint32_t vsid) const {
        for (const policy::ObjectId& id : objects(policy::ObjectKind::Subnet)) {
            const auto view = model.subnet(id);
            if (view && view->vsid == vsid) {
                return view;
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<policy::MacView> mac_view(std::uint32_t vsid,
                                                          std::uint64_t mac_bits) const {
        for (const policy::ObjectId& id : objects(policy::ObjectKind::Mac)) {
            const auto view = model.mac(id);
            if (view && view->vsid == vsid && view->mac == mac(mac_bits)) {
                return view;
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] std::vector<policy::PeerView> peer_views() const {
        std::vector<policy::PeerView> views;
        for (const policy::ObjectId& id : objects(policy::ObjectKind::Peer)) {
            if (const auto view = model.peer(id)) {
                views.push_back(*view);
            }
        }
        return views;
    }
    [[nodiscard]] std::optional<policy::ServiceView> service_view(std::string_view port) const {
        for (const policy::ObjectId& id : objects(policy::ObjectKind::Service)) {
            const auto view = model.service(id);
            if (view && view->port == port) {
                return view;
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<policy::PortView> port_view(std::string_view name) const {
        for (const policy::ObjectId& id : objects(policy::ObjectKind::Port)) {
            const auto view = model.port(id);
            if (view && view->name == name) {
                return view;
            }
        }
        return std::nullopt;
    }
};

}  // namespace hnv::test
