#include "random_policy.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>

namespace hnv::test {

using namespace policy;

namespace {

constexpr std::uint32_t kSubnets = 4;
constexpr std::uint32_t kRouters = 2;
constexpr std::uint32_t kLocators = 6;
constexpr std::uint32_t kGroups = 2 * kSubnets;
constexpr std::uint32_t kMappings = 8;
constexpr std::uint32_t kPorts = 4;
constexpr std::uint32_t kRules = 8;
constexpr std::uint32_t kNats = 4;
constexpr std::uint32_t kServices = 6;
constexpr std::uint32_t kAdapterAddresses = 2 * kPorts;
constexpr std::uint32_t kProviderAddresses = 2;
constexpr std::uint64_t kMacBase = 0x00155d000000;

std::string port_name(std::uint32_t number) { return "port-" + std::to_string(number); }

std::string pa_text(std::uint32_t number) { return "192.168.7." + std::to_string(number + 1); }

// A locator's contents never change: they follow from its row. Two rows say the same (one address
// in two spellings), and two addresses are known by both encapsulations.
LocatorSpec locator_of(std::uint32_t row) {
    return {row % 3 == 2 ? Encapsulation::Nvgre : Encapsulation::Vxlan, ip(pa_text(row % 4))};
}

std::string ca_text(std::uint32_t number) {
    return (number % 5 == 4 ? "2001:db8::" : "10.0.0.") + std::to_string(number);
}

}  // namespace

std::uint64_t seed() {
    const char* given = std::getenv("HNV_SEED");
    const std::uint64_t value =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "HNV_SEED=" << value << "\n";
    return value;
}

void RandomPolicy::change_subnet(Model& model) {
    const std::uint32_t row = below(kSubnets);
    if (chance(30)) {
        return remove(model, subnets_, SourceTable::MsVtepLogicalSwitch, row);
    }
    put(model, subnets_, row,
        SubnetSpec{
            5000 + pick(row, 2, 3), "subnet", "rdid", static_routes(), chance(25), {}, chance(50)});
}

std::vector<StaticRoute> RandomPolicy::static_routes() {
    std::vector<StaticRoute> routes;
    while (chance(30)) {
        routes.push_back({prefix(chance(50) ? "0.0.0.0/0" : "172.16.0.0/12"),
                          IpAddress::from_v4(0x0a000000U + below(8))});
    }
    return routes;
}

void RandomPolicy::change_router(Model& model) {
    const std::uint32_t row = below(kRouters);
    if (chance(30)) {
        return remove(model, routers_, SourceTable::MsVtepLogicalRouter, row);
    }
    RouterSpec spec{"router", chance(80), {}};
    for (std::uint32_t subnet = 0; subnet < kSubnets; ++subnet) {
        const bool may = collisions_ == Collisions::Allowed || subnet % kRouters == row;
        if (may && chance(60)) {
            spec.bindings.push_back(
                {prefix(chance(50) ? "10.0.0.0/24" : "10.0.0.3/24"), uuid(subnet)});
            if (chance(30)) {
                spec.bindings.push_back({prefix("10.0.9.7/24"), uuid(subnet)});
            }
        }
    }
    spec.static_routes = static_routes();
    put(model, routers_, row, std::move(spec));
}

void RandomPolicy::change_mapping(Model& model) {
    const std::uint32_t row = below(kMappings);
    if (chance(35)) {
        remove(model, mappings_, SourceTable::MsVtepUcastMacsRemote, row);
        return drop_unused_locators(model);
    }
    const std::uint32_t locator = below(kLocators);
    const auto put_locator = [&] { put(model, locators_, locator, locator_of(locator)); };
    const bool before = chance(50);
    if (before) {
        put_locator();
    }
    MappingSpec spec;
    spec.subnet = uuid(below(kSubnets));
    spec.locator = uuid(locator);
    spec.mac = mac(kMacBase + pick(row, 2, 6));
    spec.type = static_cast<MappingType>(below(3));
    if (chance(85)) {
        spec.ca = ip(ca_text(pick(row, 2, 6)));
    }
    put(model, mappings_, row, spec);
    if (!before) {
        put_locator();
    }
    drop_unused_locators(model);
}

// As references are strong, a set and its locators come with the group that names them; a set
// never changes.
void RandomPolicy::change_group(Model& model) {
    const std::uint32_t row = below(kGroups);
    if (chance(30)) {
        remove(model, groups_, SourceTable::MsVtepMcastMacsRemote, row);
        return drop_unused_locators(model);
    }
    const std::uint32_t set = below(kGroups);
    const auto put_set = [&] {
        if (locator_sets_.contains(set)) {
            return;
        }
        LocatorSetSpec spec;
        for (std::uint32_t locator = 0; locator < kLocators; ++locator) {
            if (chance(40)) {
                put(model, locators_, locator, locator_of(locator));
                spec.locators.push_back(uuid(locator));
            }
        }
        put(model, locator_sets_, set, std::move(spec));
    };
    const bool before = chance(50);
    if (before) {
        put_set();
    }
    // Without collisions no two rows speak of the same group.
    const bool none = collisions_ == Collisions::None;
    const std::uint32_t subnet = none ? row % kSubnets : below(kSubnets);
    const bool named = none ? row >= kSubnets : chance(50);
    put(model, groups_, row,
        GroupSpec{uuid(subnet), uuid(set),
                  named ? std::optional(mac(0x01005e000000)) : std::nullopt});
    if (!before) {
        put_set();
    }
    drop_unused_locators(model);
}

void RandomPolicy::drop_unused_sets(Model& model) {
    for (std::uint32_t row = 0; row < kGroups; ++row) {
        const bool used = std::any_of(groups_.begin(), groups_.end(), [row](const auto& each) {
            return each.second.locator_set == uuid(row);
        });
        if (!used && locator_sets_.contains(row) && chance(50)) {
            remove(model, locator_sets_, SourceTable::MsVtepPhysicalLocatorSet, row);
        }
    }
}

void RandomPolicy::drop_unused_locators(Model& model) {
    drop_unused_sets(model);
    for (std::uint32_t row = 0; row < kLocators; ++row) {
        const bool used =
            std::any_of(mappings_.begin(), mappings_.end(),
                        [row](const auto& each) { return each.second.locator == uuid(row); }) ||
            std::any_of(locator_sets_.begin(), locator_sets_.end(), [row](const auto& each) {
                return std::ranges::find(each.second.locators, uuid(row)) !=
                       each.second.locators.end();
            });
        if (!used && locators_.contains(row) && chance(50)) {
            remove(model, locators_, SourceTable::MsVtepPhysicalLocator, row);
        }
    }
}

void RandomPolicy::change_port(Model& model) {
    const std::uint32_t row = below(kPorts);
    if (chance(25)) {
        return remove(model, ports_, SourceTable::MsVtepPhysicalPort, row);
    }
    PortSpec spec{port_name(pick(row, 1, kPorts)), {}};
    if (chance(90)) {
        spec.vlan_bindings[0] = uuid(below(kSubnets));
    }
    if (chance(30)) {
        spec.vlan_bindings[static_cast<std::uint16_t>(10 + below(2))] = uuid(below(kSubnets));
    }
    spec.vtep = chance(40);
    put(model, ports_, row, std::move(spec));
}

// What is learned depends on the order in which it was seen.
void RandomPolicy::change_learned(Model& model) {
    for (std::uint32_t i = 0; collisions_ == Collisions::Allowed && i < 4; ++i) {
        Sighting sighting{1 + below(kPorts + 8), 0, mac(kMacBase + below(6)), std::nullopt};
        sighting.vlan = static_cast<std::uint16_t>(chance(70) ? 0 : 10 + below(2));
        if (chance(50)) {
            sighting.address = ip(ca_text(below(6)));
        }
        const SightingStatus status = model.look_at(sighting);
        if (chance(30) && status.standing != SightingStatus::Standing::NoPort) {
            model.forget(status.id);
        } else {
            model.learn(sighting);
        }
    }
}

void RandomPolicy::change_settings(Model& model) {
    const std::uint32_t row = below(kPorts);
    if (chance(40)) {
        return remove(model, settings_, SourceTable::HostPortSettings, row);
    }
    PortSettingsSpec spec{port_name(pick(row, 1, kPorts)), chance(50), chance(50),
                          chance(50) ? std::optional(100 + below(3)) : std::nullopt,
                          chance(30) ? std::optional(ip(pa_text(below(kLocators)))) : std::nullopt};
    spec.dhcp_guard = chance(30);
    spec.router_guard = chance(30);
    spec.storm_limit_pps = below(3) * 100;
    spec.flow_limit = below(2) * 10;
    spec.outbound_max_mbps = below(3) * 100;
    spec.inbound_max_mbps = below(3) * 100;
    put(model, settings_, row, std::move(spec));
}

void RandomPolicy::change_adapter(Model& model) {
    if (chance(50)) {
        const std::uint32_t row = below(kAdapterAddresses);
        if (chance(20)) {
            return remove(model, adapter_addresses_, SourceTable::MsDarvAddresses, row);
        }
        // Some of them are mapped, too.
        const std::uint32_t number = pick(row, 1, kAdapterAddresses) + (chance(50) ? 0 : 20);
        return put(model, adapter_addresses_, row,
                   AdapterAddressSpec{prefix(ca_text(number)), chance(30)});
    }
    const std::uint32_t row = below(kPorts);
    if (chance(30)) {
        return remove(model, adapters_, SourceTable::MsDarvPorts, row);
    }
    AdapterSpec spec{port_name(pick(row, 1, kPorts)), {}, chance(20), {}};
    if (chance(60)) {
        spec.mac = mac(kMacBase + pick(row, 2, 6));
    }
    while (chance(60)) {
        spec.addresses.push_back(uuid(pick(row, 2, kAdapterAddresses)));
    }
    put(model, adapters_, row, std::move(spec));
}

RuleSpec RandomPolicy::random_rule(std::uint32_t row) {
    RuleSpec spec =
        rule(port_name(below(kPorts)), chance(50) ? Direction::Inbound : Direction::Outbound,
             chance(60) ? RuleAction::Allow : RuleAction::Block,
             static_cast<std::uint16_t>(100 + below(3)));
    spec.id = "rule-" + std::to_string(row);
    spec.layer = chance(50) ? RuleLayer::Admin : RuleLayer::Controller;
    spec.enabled = chance(85);
    if (chance(40)) {
        spec.protocols = {static_cast<std::uint8_t>(chance(50) ? 6 : 17)};
    }
    if (chance(40)) {
        spec.sources = {prefix(chance(50) ? "10.0.0.0/25" : "2001:db8::/64")};
    }
    if (chance(40)) {
        spec.destination_ports = {{80, static_cast<std::uint16_t>(80 + below(20))}};
    }
    return spec;
}

void RandomPolicy::change_rule(Model& model) {
    const std::uint32_t row = below(kRules);
    if (chance(25)) {
        return remove(model, rules_, SourceTable::MsFirewallRules, row);
    }
    put(model, rules_, row, random_rule(row));
}

// External addresses are customer addresses now and then.
void RandomPolicy::change_nat(Model& model) {
    const std::uint32_t row = below(kNats);
    if (chance(30)) {
        return remove(model, nats_, SourceTable::HostNat, row);
    }
    NatSpec spec;
    spec.name = "nat-" + std::to_string(row);
    spec.port = port_name(below(kPorts));
    spec.vlan = static_cast<std::uint16_t>(chance(80) ? 0 : 10 + below(2));
    spec.is_static = chance(50);
    const std::string number = std::to_string(pick(row, 1, kNats));
    spec.internal = {prefix("10." + number + (spec.is_static ? ".0.7" : ".0.0/16"))};
    spec.first = spec.last = ip(chance(40) ? "10.0.0." + number : "203.0.113." + number);
    spec.external = {{spec.first, 32}};
    put(model, nats_, row, std::move(spec));
}

MirrorSourceSpec RandomPolicy::random_mirror() {
    MirrorSourceSpec mirror{chance(70), chance(70), port_name(below(kPorts))};
    if (chance(50)) {
        mirror.analyzer = MirrorSourceSpec::Remote{locator_of(below(kLocators)), 5000 + below(9)};
    }
    return mirror;
}

// Of rows that claim one mirror key the first by priority and id has it, in whatever order they
// came.
void RandomPolicy::change_service(Model& model) {
    const std::uint32_t row = below(kServices);
    if (chance(25)) {
        return remove(model, services_, SourceTable::MsServiceInsertionRule, row);
    }
    ServiceRuleSpec spec;
    spec.port = port_name(below(kPorts));
    spec.id = "service-" + std::to_string(row);
    spec.priority = static_cast<std::uint16_t>(below(2));
    if (chance(50)) {
        const RuleSpec rule = random_rule(0);
        spec.filter.sources = rule.sources;
        spec.filter.destination_ports = rule.destination_ports;
    }
    switch (below(3)) {
        case 0:
            spec.service = random_mirror();
            break;
        case 1:
            spec.service = MirrorDestinationSpec{5000 + below(9), {ip(pa_text(below(kLocators)))}};
            break;
        default:
            spec.service = InsertionSpec{ip(ca_text(below(8))), chance(50)};
            break;
    }
    put(model, services_, row, std::move(spec));
}

void RandomPolicy::change_provider_address(Model& model) {
    const std::uint32_t row = below(kProviderAddresses);
    if (chance(40)) {
        return remove(model, provider_addresses_, SourceTable::HostProviderAddress, row);
    }
    put(model, provider_addresses_, row,
        ProviderAddressSpec{prefix(pa_text(below(kLocators)) + "/24"), "br-pa"});
}

void RandomPolicy::change_host(Model& model) {
    if (chance(20)) {
        tunnels_ = {below(2) * 100, below(2) * 101};
        return model.set_tunnel_ports(tunnels_);
    }
    if (chance(20)) {
        router_mac_ = mac(0x020000000001 + below(2));
        return model.set_router_mac(router_mac_);
    }
    if (chance(20)) {
        carried_.clear();
        for (std::uint32_t number = 0; number < kLocators; ++number) {
            if (chance(40)) {
                carried_.push_back({ip(pa_text(number)), 1 + number, 1500 + 100 * below(2)});
            }
        }
        return model.set_carried_addresses(carried_);
    }
    if (chance(20)) {
        bfd_ofports_.clear();
        unreachable_.clear();
        for (std::uint32_t number = 0; number < kLocators; ++number) {
            if (chance(40)) {
                bfd_ofports_.push_back(200 + number);
            }
            if (chance(40)) {
                unreachable_.insert(ip(pa_text(number)));
            }
        }
        model.set_bfd_ports(bfd_ofports_);
        return model.set_unreachable(unreachable_);
    }
    interfaces_.clear();
    for (std::uint32_t port = 0; port < kPorts; ++port) {
        if (chance(80)) {
            // Ports swap their OpenFlow numbers, as after a replug.
            interfaces_.push_back(
                plug(port_name(port), 1 + (port + below(2) * 8), kMacBase + pick(port, 2, 6)));
            if (chance(10)) {
                interfaces_.back().attached_mac.clear();
            }
        }
    }
    if (interfaces_.size() >= 2 && chance(50)) {
        std::swap(interfaces_.front().ofport, interfaces_.back().ofport);
    }
    model.set_interfaces(interfaces_);
}

void RandomPolicy::change(Model& model) {
    switch (below(11)) {
        case 0:
            return change_subnet(model);
        case 1:
            return change_router(model);
        case 2:
        case 3:
            return change_mapping(model);
        case 4:
            return change_port(model);
        case 5:
            return chance(40)   ? change_rule(model)
                   : chance(50) ? change_settings(model)
                                : change_nat(model);
        case 6:
            return change_adapter(model);
        case 7:
            return chance(50) ? change_group(model) : change_provider_address(model);
        case 8:
            return change_service(model);
        case 9:
            return change_learned(model);
        default:
            return change_host(model);
    }
}

void RandomPolicy::clear(Model& model) {
    std::vector<std::function<void()>> steps;
    const auto take = [&](auto& rows, SourceTable table) {
        for (const auto& [row, spec] : rows) {
            steps.emplace_back(
                [this, &rows, &model, table, number = row] { remove(model, rows, table, number); });
        }
    };
    take(subnets_, SourceTable::MsVtepLogicalSwitch);
    take(routers_, SourceTable::MsVtepLogicalRouter);
    take(locators_, SourceTable::MsVtepPhysicalLocator);
    take(mappings_, SourceTable::MsVtepUcastMacsRemote);
    take(locator_sets_, SourceTable::MsVtepPhysicalLocatorSet);
    take(groups_, SourceTable::MsVtepMcastMacsRemote);
    take(ports_, SourceTable::MsVtepPhysicalPort);
    take(settings_, SourceTable::HostPortSettings);
    take(rules_, SourceTable::MsFirewallRules);
    take(services_, SourceTable::MsServiceInsertionRule);
    take(adapters_, SourceTable::MsDarvPorts);
    take(adapter_addresses_, SourceTable::MsDarvAddresses);
    take(provider_addresses_, SourceTable::HostProviderAddress);
    take(nats_, SourceTable::HostNat);
    steps.emplace_back([this, &model] {
        interfaces_.clear();
        model.set_interfaces({});
    });
    std::shuffle(steps.begin(), steps.end(), random_);
    for (const auto& step : steps) {
        step();
    }
}

void RandomPolicy::build(Model& model) {
    std::vector<std::function<void()>> steps;
    const auto give = [&](const auto& rows) {
        for (const auto& entry : rows) {
            steps.emplace_back([&model, &entry] { model.put(uuid(entry.first), entry.second); });
        }
    };
    give(subnets_);
    give(routers_);
    give(locators_);
    give(mappings_);
    give(locator_sets_);
    give(groups_);
    give(ports_);
    give(settings_);
    give(rules_);
    give(services_);
    give(adapters_);
    give(adapter_addresses_);
    give(provider_addresses_);
    give(nats_);
    steps.emplace_back([&] { model.set_interfaces(interfaces_); });
    steps.emplace_back([&] { model.set_tunnel_ports(tunnels_); });
    steps.emplace_back([&] { model.set_carried_addresses(carried_); });
    steps.emplace_back([&] { model.set_bfd_ports(bfd_ofports_); });
    steps.emplace_back([&] { model.set_unreachable(unreachable_); });
    steps.emplace_back([&] { model.set_router_mac(router_mac_); });
    std::shuffle(steps.begin(), steps.end(), random_);
    for (const auto& step : steps) {
        step();
    }
}

std::map<std::pair<std::uint32_t, IpAddress>, MacAddress> RandomPolicy::neighbours() const {
    std::map<std::pair<std::uint32_t, IpAddress>, MacAddress> answers;
    for (const auto& [row, mapping] : mappings_) {
        for (const auto& [subnet, spec] : subnets_) {
            if (mapping.ca && mapping.subnet == uuid(subnet)) {
                answers[{spec.vsid, *mapping.ca}] = mapping.mac;
            }
        }
    }
    for (const auto& [row, router] : routers_) {
        for (const RouterSpec::Binding& binding : router.bindings) {
            for (const auto& [subnet, spec] : subnets_) {
                if (router.enabled && binding.subnet == uuid(subnet)) {
                    const bool given = binding.prefix.has_host_bits();
                    answers[{spec.vsid, given ? binding.prefix.address : ip("10.0.0.1")}] =
                        router_mac_;
                }
            }
        }
    }
    return answers;
}

}  // namespace hnv::test
