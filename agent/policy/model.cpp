#include "policy/model.h"

#include <algorithm>
#include <cctype>

namespace hnv::policy {

namespace {

// 8-4-4-4-12 hexadecimal digits.
[[nodiscard]] bool is_guid(std::string_view text) { return Uuid::parse(text).has_value(); }

}  // namespace

std::string normalize_port_name(std::string_view name) {
    std::string_view bare = name;
    if (bare.size() >= 2 && bare.front() == '{' && bare.back() == '}') {
        bare = bare.substr(1, bare.size() - 2);
    }
    if (!is_guid(bare)) {
        return std::string(name);
    }
    std::string normalized(bare);
    std::transform(normalized.begin(), normalized.end(), normalized.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return normalized;
}

Model::Model(NeighbourTable& neighbours, Faults& faults)
    : neighbours_(neighbours), faults_(faults), rules_(faults) {
    touch(ObjectKind::Host, 0);
}

Model::~Model() = default;

void Model::touch(ObjectKind kind, std::uint32_t owner, std::uint64_t detail) {
    touched_.insert({kind, owner, detail});
}

// The faults that the model raises, and none of a reader's.
void Model::clear_faults(const RowRef& row) {
    using enum FaultKey;
    for (const FaultKey key :
         {VsidDuplicate, MappingConflict, CaConflict,         SubnetTwoRouters, PortNoAcl,
          PortUnbound,   PortDuplicate,   PortAddressUnknown, RulePriority,     NextHopUnmapped,
          PaMissing,     SubnetVlan,      AclIncomplete,      AclBinding,       NatPort,
          NatConflict,   MirrorTarget,    PortMacMismatch,    CaOutside,        MacLimit,
          MacFlap}) {
        faults_.set(row, key, std::nullopt);
    }
}

void Model::remove(const RowRef& row) {
    clear_faults(row);
    switch (row.table) {
        case SourceTable::MsVtepLogicalSwitch:
        case SourceTable::VtepLogicalSwitch:
            remove_subnet(row.uuid);
            break;
        case SourceTable::MsVtepLogicalRouter:
        case SourceTable::VtepLogicalRouter:
            remove_router(row.uuid);
            break;
        case SourceTable::MsVtepPhysicalLocator:
        case SourceTable::VtepPhysicalLocator:
            remove_locator(row.uuid);
            break;
        case SourceTable::MsVtepUcastMacsRemote:
        case SourceTable::VtepUcastMacsRemote:
            remove_mapping(row.uuid);
            break;
        case SourceTable::MsVtepMcastMacsRemote:
        case SourceTable::VtepMcastMacsRemote:
            remove_group(row.uuid);
            break;
        case SourceTable::MsVtepPhysicalLocatorSet:
        case SourceTable::VtepPhysicalLocatorSet:
            remove_locator_set(row.uuid);
            break;
        default:
            remove_of_port(row);
            break;
    }
    vtep_rows_.erase(row.uuid);
}

// Of the tables that say something of ports, or of the host.
void Model::remove_of_port(const RowRef& row) {
    switch (row.table) {
        case SourceTable::MsVtepPhysicalPort:
        case SourceTable::VtepPhysicalPort:
            remove_port(row.uuid);
            break;
        case SourceTable::MsFirewallRules:
            rules_.remove(row.uuid);
            break;
        case SourceTable::MsServiceInsertionRule:
            remove_service(row.uuid);
            break;
        case SourceTable::HostProviderAddress:
            remove_provider_address(row.uuid);
            break;
        case SourceTable::HostPortSettings:
            remove_settings(row.uuid);
            break;
        case SourceTable::VtepAcl:
            remove_acl(row.uuid);
            break;
        case SourceTable::VtepAclEntry:
            remove_acl_entry(row.uuid);
            break;
        case SourceTable::HostNat:
            remove_nat(row.uuid);
            break;
        case SourceTable::MsDarvPorts:
            remove_adapter(row.uuid);
            break;
        case SourceTable::MsDarvAddresses:
            remove_adapter_address(row.uuid);
            break;
        default:
            break;  // The agent's own rows.
    }
}

void Model::set_tunnel_ports(const TunnelPorts& ports) {
    if (ports == tunnels_) {
        return;
    }
    tunnels_ = ports;
    touch(ObjectKind::Host, 0);
    for (const auto& [row, subnet] : subnets_) {
        touch(ObjectKind::Subnet, subnet->number);
    }
    touch_services();
}

void Model::set_bfd_ports(std::vector<std::uint32_t> ofports) {
    std::ranges::sort(ofports);
    if (ofports != bfd_ofports_) {
        bfd_ofports_ = std::move(ofports);
        touch(ObjectKind::Host, 0);
    }
}

void Model::set_host_settings(const HostSettingsSpec& settings) {
    if (settings != host_settings_) {
        host_settings_ = settings;
        touch(ObjectKind::Host, 0);
        for (const auto& [row, subnet] : subnets_) {
            touched_programming_.insert(subnet.get());
        }
    }
}

std::vector<ObjectId> Model::commit() {
    resolve_programming();
    resolve_groups();
    // Ports come after the subnets and mappings that they are made of; records that
    // nothing refers to any more go when nobody looks at them.
    auto subnets = std::exchange(touched_subnets_, {});
    resolve_subnets(subnets);
    resolve_macs();
    touch_nat_ports();
    resolve_cas();
    resolve_acls();
    resolve_rules();
    resolve_ports();
    resolve_services();
    for (const ObjectId& id : touched_) {
        const auto router = routers_by_number_.find(id.owner);
        if (id.kind == ObjectKind::Router && router != routers_by_number_.end()) {
            check_routes(routers_.at(router->second));
        }
    }
    subnets.merge(std::exchange(touched_subnets_, {}));  // Those that a port has left.
    for (SubnetRecord* subnet : subnets) {
        release(*subnet);
    }
    // A new set: to clear() the old one would cost as much as the largest commit before.
    auto touched = std::exchange(touched_, {});
    touched.merge(std::exchange(touched_demands_, {}));
    std::vector<ObjectId> changed(touched.begin(), touched.end());
    committed_ |= !changed.empty();
    return changed;
}

void Model::for_each_object(const std::function<void(const ObjectId&)>& visit) const {
    visit({ObjectKind::Host, 0, 0});
    for (const auto& [number, port] : ports_by_number_) {
        visit({ObjectKind::Port, number, 0});
        if (!port->services.empty()) {
            visit({ObjectKind::Service, number, 0});
        }
    }
    rules_.for_each_object(visit);
    for (const auto& [row, router] : routers_) {
        visit({ObjectKind::Router, router.number, 0});
    }
    for (const auto& [row, subnet] : subnets_) {
        visit({ObjectKind::Subnet, subnet->number, 0});
        for (const auto& [locator, use] : subnet->locators) {
            visit({ObjectKind::Peer, subnet->number, locator});
        }
        for (const auto& [mac, first] : subnet->by_mac) {
            visit({ObjectKind::Mac, subnet->number, mac.bits()});
        }
        for (const auto& [ca, number] : subnet->vips) {
            visit({ObjectKind::Vip, subnet->number, number});
        }
        for (const auto& [mac, learned] : subnet->learned) {
            visit({ObjectKind::Learned, subnet->number, mac.bits()});
        }
    }
}

std::optional<RowRef> Model::row_of(const ObjectId& id) const {
    if (id.kind == ObjectKind::Port) {
        const auto port = ports_by_number_.find(id.owner);
        if (port != ports_by_number_.end() && port->second->specs.row()) {
            return ref(SourceTable::MsVtepPhysicalPort, *port->second->specs.row());
        }
        return std::nullopt;
    }
    if (id.kind == ObjectKind::Service) {
        const auto port = ports_by_number_.find(id.owner);
        return port == ports_by_number_.end() || port->second->services.empty()
                   ? std::nullopt
                   : std::optional(RowRef{SourceTable::MsServiceInsertionRule,
                                          port->second->services.begin()->first});
    }
    if (id.kind == ObjectKind::GroupRules || id.kind == ObjectKind::PortRules) {
        const auto row = rules_.row_of(id);
        return row ? std::optional(RowRef{SourceTable::MsFirewallRules, *row}) : std::nullopt;
    }
    if (id.kind == ObjectKind::Router) {
        const auto router = routers_by_number_.find(id.owner);
        return router == routers_by_number_.end()
                   ? std::nullopt
                   : std::optional(ref(SourceTable::MsVtepLogicalRouter, router->second));
    }
    const auto subnet = subnets_by_number_.find(id.owner);
    if (id.kind == ObjectKind::Host || subnet == subnets_by_number_.end()) {
        return std::nullopt;
    }
    if (id.kind == ObjectKind::Learned) {
        const auto known = subnet->second->learned.find(MacAddress::from_bits(id.detail));
        return known == subnet->second->learned.end()
                   ? std::nullopt
                   : row_of({ObjectKind::Port, known->second.port->number, 0});
    }
    if (id.kind == ObjectKind::Mac) {
        const auto first = subnet->second->by_mac.find(MacAddress::from_bits(id.detail));
        if (first == subnet->second->by_mac.end()) {
            return std::nullopt;
        }
        return ref(SourceTable::MsVtepUcastMacsRemote, first->second->row);
    }
    return ref(SourceTable::MsVtepLogicalSwitch, subnet->second->row);
}

std::vector<RowRef> Model::rows() const {
    std::vector<RowRef> rows;
    const auto add = [&](SourceTable table, const auto& records) {
        for (const auto& [uuid, record] : records) {
            rows.push_back(ref(table, uuid));
        }
    };
    add(SourceTable::MsVtepLogicalSwitch, subnets_);
    add(SourceTable::MsVtepLogicalRouter, routers_);
    add(SourceTable::MsVtepPhysicalLocator, locators_);
    add(SourceTable::MsVtepUcastMacsRemote, mappings_);
    add(SourceTable::MsVtepMcastMacsRemote, groups_);
    add(SourceTable::MsVtepPhysicalLocatorSet, locator_sets_);
    add(SourceTable::MsVtepPhysicalPort, port_rows_);
    add(SourceTable::MsServiceInsertionRule, services_.ports);
    rules_.for_each_row([&rows](const Uuid& row) {
        rows.push_back({SourceTable::MsFirewallRules, row});
    });
    add(SourceTable::HostProviderAddress, provider_addresses_);
    add(SourceTable::HostPortSettings, settings_rows_);
    add(SourceTable::VtepAcl, acls_);
    add(SourceTable::VtepAclEntry, acl_entries_);
    add(SourceTable::HostNat, nat_rows_);
    add(SourceTable::MsDarvPorts, adapter_rows_);
    add(SourceTable::MsDarvAddresses, adapter_addresses_);
    return rows;
}

ModelCounts Model::counts() const {
    ModelCounts counts;
    counts.networks = routers_.size();
    for (const auto& [row, subnet] : subnets_) {
        counts.subnets += subnet->spec ? 1 : 0;
    }
    counts.mappings = mappings_.size();
    counts.ports = ports_.size();
    counts.provider_addresses = provider_addresses_.size();
    counts.rules = rules_.size();
    counts.learned_macs = learned_count_;
    for (const auto& [name, port] : ports_) {
        counts.ports_active += port->status.state == PortState::Active ? 1 : 0;
    }
    return counts;
}

void Model::for_each_port(const std::function<void(const PortStatus&)>& visit) const {
    const std::map<std::string_view, const PortRecord*> sorted = [this] {
        std::map<std::string_view, const PortRecord*> by_name;
        for (const auto& [name, port] : ports_) {
            by_name.emplace(name, port.get());
        }
        return by_name;
    }();
    for (const auto& [name, port] : sorted) {
        visit(port->status);
    }
}

void Model::for_each_mapping(const std::function<void(const MappingStatus&)>& visit) const {
    for (const auto& [row, mapping] : mappings_) {
        MappingStatus status;
        status.vsid = mapping.subnet->spec ? mapping.subnet->spec->vsid : 0;
        status.mac = mapping.mac;
        status.ca = mapping.ca;
        status.locator = mapping.locator->spec;
        status.type = mapping.type;
        status.local = status.locator && is_local_pa(status.locator->pa);
        visit(status);
    }
}

void Model::for_each_provider_address(
    const std::function<void(const Uuid&, const ProviderAddressSpec&)>& visit) const {
    for (const auto& [row, spec] : provider_addresses_) {
        visit(row, spec);
    }
}

std::vector<PortStatus> Model::take_port_changes() {
    std::vector<PortStatus> changes;
    for (auto& [name, status] : std::exchange(changed_ports_, {})) {
        changes.push_back(std::move(status));
    }
    return changes;
}

}  // namespace hnv::policy
