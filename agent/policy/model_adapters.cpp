// Guests' adapters (ms_darv): which MAC and CAs a port has, and what DHCP tells its guest.
#include <algorithm>
#include <utility>

#include "policy/model.h"

namespace hnv::policy {

namespace {

// What the agent's DHCP is known by in a subnet without a gateway (RFC 3927: of one link only).
const IpAddress kServerWithoutGateway = IpAddress::from_v4(0xa9fea9fdU);  // 169.254.169.253
// Other hosts of the underlay may have room for less than this one.
constexpr unsigned kMaxGuestMtu = 1500;

[[nodiscard]] const AdapterAddressSpec* preferred(
    const std::vector<const AdapterAddressSpec*>& addresses, bool v4) {
    const AdapterAddressSpec* best = nullptr;
    for (const AdapterAddressSpec* each : addresses) {  // Ascending.
        if (each->address.address.is_v4() == v4 &&
            (best == nullptr || (each->primary && !best->primary))) {
            best = each;
        }
    }
    return best;
}

}  // namespace

AdapterAddressRecord& Model::adapter_address_record(const Uuid& row) {
    return adapter_addresses_[row];
}

void Model::put(const Uuid& row, AdapterSpec spec) {
    const auto known = adapter_rows_.find(row);
    if (known != adapter_rows_.end() && known->second != spec.name) {
        remove_adapter(row);
    }
    PortRecord& port = port_record(spec.name);
    adapter_rows_.insert_or_assign(row, spec.name);
    port.adapters.put(row, std::move(spec));
    note_adapter(port);
}

void Model::remove_adapter(const Uuid& row) {
    const auto known = adapter_rows_.find(row);
    if (known == adapter_rows_.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    adapter_rows_.erase(known);
    port.adapters.remove(row);
    clear_faults({SourceTable::MsDarvPorts, row});
    note_adapter(port);
}

// The adapter in force may be another, or say something else.
void Model::note_adapter(PortRecord& port) {
    std::map<Uuid, AdapterAddressRecord*> wanted;
    if (const AdapterSpec* adapter = port.adapters.spec()) {
        for (const Uuid& row : adapter->addresses) {
            wanted.emplace(row, &adapter_address_record(row));
        }
    }
    for (const auto& [row, record] : port.addresses) {
        if (!wanted.contains(row)) {
            record->users.erase(&port);
            touched_addresses_.insert(row);
        }
    }
    for (const auto& [row, record] : wanted) {
        record->users.insert(&port);
    }
    port.addresses = std::move(wanted);
    note_mac(port);
    touch_port(port);
}

void Model::note_mac(PortRecord& port) {
    const AdapterSpec* adapter = port.adapters.spec();
    if (!port.interface) {
        port.attached_mac.reset();
    } else if (adapter != nullptr && adapter->mac) {
        port.attached_mac = adapter->mac;
    } else {
        port.attached_mac = MacAddress::parse(port.interface->attached_mac);
    }
}

void Model::put(const Uuid& row, AdapterAddressSpec spec) {
    AdapterAddressRecord& record = adapter_address_record(row);
    if (record.spec == spec) {
        return;
    }
    if (!record.spec || record.spec->address.address != spec.address.address) {
        record.number = next_number_++;
    }
    record.spec = std::move(spec);
    touched_addresses_.insert(row);
    touched_ports_.insert(record.users.begin(), record.users.end());
}

void Model::remove_adapter_address(const Uuid& row) {
    const auto known = adapter_addresses_.find(row);
    if (known != adapter_addresses_.end()) {
        known->second.spec.reset();
        touched_addresses_.insert(row);  // commit() releases it.
        touched_ports_.insert(known->second.users.begin(), known->second.users.end());
    }
}

void Model::touch_adapters_of(const SubnetRecord& subnet) {
    for (PortRecord* port : subnet.ports) {
        if (!port->adapters.empty()) {
            touch_port(*port);
        }
    }
}

void Model::touch_claimants(const SubnetRecord& subnet, const IpAddress& ca) {
    const auto claims = subnet.adapter_cas.find(ca);
    if (claims != subnet.adapter_cas.end()) {
        for (const auto& [order, port] : claims->second) {
            touch_port(*port);
        }
    }
}

// In which of the subnets that a port is bound to an address is the port's.
bool Model::belongs(const PortRecord& port, const SubnetRecord& subnet, const IpAddress& ca) {
    if (port.subnets.size() == 1) {
        return true;
    }
    const auto* prefixes = subnet.bindings.spec();
    return prefixes != nullptr && std::ranges::any_of(*prefixes, [&ca](const IpPrefix& prefix) {
               return prefix.address.is_v4() == ca.is_v4() && prefix.contains(ca);
           });
}

// A port that is not plugged claims nothing: its adapter may be on its way to another host.
void Model::claim_addresses(PortRecord& port) {
    std::set<std::tuple<SubnetRecord*, IpAddress, std::uint32_t>> wanted;
    for (const auto& [row, record] : port.addresses) {
        for (const auto& [vlan, subnet] : port.subnets) {
            if (port.interface && record->spec &&
                belongs(port, *subnet, record->spec->address.address)) {
                wanted.emplace(subnet, record->spec->address.address, record->number);
            }
        }
    }
    if (port.claims == wanted) {
        return;
    }
    for (const auto& claim : port.claims) {
        const auto& [subnet, ca, number] = claim;
        if (!wanted.contains(claim)) {
            const auto claims = subnet->adapter_cas.find(ca);
            claims->second.erase({number, port.number});
            touch_claimants(*subnet, ca);
            if (claims->second.empty()) {
                subnet->adapter_cas.erase(claims);
            }
        }
    }
    for (const auto& [subnet, ca, number] : wanted) {
        if (subnet->adapter_cas[ca].emplace(std::pair(number, port.number), &port).second) {
            touch_claimants(*subnet, ca);
        }
    }
    port.claims = std::move(wanted);
}

// Why an address that the port claims in the subnet is not its own there; empty: it is.
std::string Model::conflict_of(const PortRecord& port, const SubnetRecord& subnet,
                               const IpAddress& ca) {
    if (subnet.gateways.contains(ca) || subnet.link_local == ca) {
        return ca.to_string() + " is the gateway of the subnet of port " + port.name +
               "; give the port another";
    }
    const PortRecord* first = subnet.adapter_cas.at(ca).begin()->second;
    if (first != &port) {
        return ca.to_string() + " is already that of port " + first->name +
               " in this subnet; give port " + port.name + " another";
    }
    const MappingRecord* owner = owner_of(subnet, ca);
    const MappingRecord* each = owner == nullptr ? nullptr : subnet.by_ca.at(ca);
    while (each != nullptr && (each->mac != port.attached_mac || !in_force(*each))) {
        each = each->next_of_ca;
    }
    return owner == nullptr || each != nullptr || !port.attached_mac
               ? ""
               : ca.to_string() + " in the subnet of port " + port.name + " is mapped to " +
                     owner->mac.to_string() + " and the port's MAC is " +
                     port.attached_mac->to_string() + "; change the mapping or this row";
}

// The addresses that the port's adapter has in the subnet, ascending; nullopt: it names none there,
// so that the mappings say.
std::optional<std::vector<const AdapterAddressSpec*>> Model::adapter_cas_of(
    const PortRecord& port, const SubnetRecord& subnet) {
    std::vector<const AdapterAddressSpec*> own;
    bool named = false;
    for (const auto& [row, record] : port.addresses) {
        if (record->spec && belongs(port, subnet, record->spec->address.address)) {
            named = true;
            if (conflict_of(port, subnet, record->spec->address.address).empty()) {
                own.push_back(&*record->spec);
            }
        }
    }
    if (!named) {
        return std::nullopt;
    }
    const auto before = [](const AdapterAddressSpec* one, const AdapterAddressSpec* other) {
        return one->address.address < other->address.address;
    };
    const auto same = [](const AdapterAddressSpec* one, const AdapterAddressSpec* other) {
        return one->address.address == other->address.address;
    };
    std::sort(own.begin(), own.end(), before);
    own.erase(std::unique(own.begin(), own.end(), same), own.end());
    return own;
}

void Model::check_adapters(const PortRecord& port) {
    for (const auto& [row, spec] : port.adapters.all()) {
        const RowRef ref{SourceTable::MsDarvPorts, row};
        const bool in_force = row == port.adapters.row();
        faults_.set(ref, FaultKey::PortDuplicate,
                    in_force ? std::nullopt
                             : std::optional("another row of Ports is named " + port.name +
                                             " and is in force; delete one of the two"));
        const auto plugged =
            port.interface ? MacAddress::parse(port.interface->attached_mac) : std::nullopt;
        const bool differs = in_force && spec.mac && plugged && *spec.mac != *plugged;
        faults_.set(
            ref, FaultKey::PortMacMismatch,
            differs ? std::optional("mac_address of port " + port.name + " is " +
                                    spec.mac->to_string() + " and its interface has " +
                                    plugged->to_string() + ", which may not speak; make them agree")
                    : std::nullopt);
        for (const Uuid& address : spec.addresses) {
            touched_addresses_.insert(address);
        }
    }
}

// The faults of each row of IP_Addresses, from all ports that name it. Precondition: all are bound.
void Model::check_adapter_addresses() {
    for (const Uuid& row : std::exchange(touched_addresses_, {})) {
        const auto known = adapter_addresses_.find(row);
        if (known == adapter_addresses_.end()) {
            continue;
        }
        const AdapterAddressRecord& record = known->second;
        std::string conflict;
        std::string outside;
        for (const PortRecord* port : record.users) {
            if (!record.spec || !port->interface || port->subnets.empty()) {
                continue;
            }
            const IpAddress& ca = record.spec->address.address;
            bool inside = false;
            for (const auto& [vlan, subnet] : port->subnets) {
                if (belongs(*port, *subnet, ca)) {
                    inside = true;
                    conflict = conflict.empty() ? conflict_of(*port, *subnet, ca) : conflict;
                }
            }
            if (!inside) {
                outside = ca.to_string() + " is in no prefix of the subnets that port " +
                          port->name + " is bound to; bind it there, or change the address";
            }
        }
        const auto told = [](std::string text) {
            return text.empty() ? std::nullopt : std::optional(std::move(text));
        };
        const RowRef ref{SourceTable::MsDarvAddresses, row};
        faults_.set(ref, FaultKey::CaConflict, told(std::move(conflict)));
        faults_.set(ref, FaultKey::CaOutside, told(std::move(outside)));
        if (!record.spec && record.users.empty()) {
            adapter_addresses_.erase(known);
        }
    }
}

// What every tunnel of this host has room for; 0: not known.
unsigned Model::guest_mtu() const {
    const HostView view = host();
    unsigned room = 0;
    for (const bool v4 : {true, false}) {
        const unsigned mtu = v4 ? view.mtu_v4 : view.mtu_v6;
        const unsigned overhead = overhead_of(Encapsulation::Vxlan, v4);
        if (mtu > overhead && (room == 0 || mtu - overhead < room)) {
            room = mtu - overhead;
        }
    }
    return std::min(room, kMaxGuestMtu);
}

// nullopt: the guest has its addresses from somewhere else.
std::optional<GuestConfig> Model::guest_config(const PortRecord& port,
                                               const Attachment& attachment) const {
    const auto own = adapter_cas_of(port, *port.subnets.at(attachment.vlan));
    if (!own || own->empty()) {
        return std::nullopt;
    }
    GuestConfig config;
    config.vlan = attachment.vlan;
    config.vsid = attachment.vsid;
    config.ofport = port.interface->ofport;
    config.mac = attachment.mac;
    config.router_mac = router_mac_;
    const auto& router = attachment.router;
    config.server = router ? router->v4.value_or(kServerWithoutGateway) : kServerWithoutGateway;
    config.mtu = attachment.bridged ? 0 : guest_mtu();
    for (const bool v4 : {true, false}) {
        const AdapterAddressSpec* address = preferred(*own, v4);
        if (address == nullptr) {
            continue;
        }
        (v4 ? config.v4 : config.v6) = address->address;
        for (const IpAddress& server : address->dns_servers) {
            (server.is_v4() ? config.dns_v4 : config.dns_v6).push_back(server);
        }
        std::ranges::copy_if(address->routers, std::back_inserter(config.routers),
                             [v4](const IpAddress& each) { return v4 && each.is_v4(); });
        config.domain = config.domain.empty() ? address->domain : config.domain;
    }
    config.advertised = config.v6 && !attachment.bridged;
    config.default_router = config.advertised && router && router->v6;
    if (const PortSettingsSpec* settings = port.settings.spec()) {
        config.lease_seconds = settings->dhcp_lease_seconds.value_or(kDefaultLeaseSeconds);
    }
    return config;
}

void Model::publish_leases(const PortRecord& port, PortView& view) {
    std::vector<GuestConfig> configs;
    if (view.active) {
        for (Attachment& attachment : view.attachments) {
            if (auto config = guest_config(port, attachment)) {
                if (config->v4) {
                    attachment.dhcp_server = config->server;
                }
                attachment.dhcpv6 = config->v6.has_value();
                attachment.advertised = config->advertised;
                configs.push_back(*std::move(config));
            }
        }
    }
    leases_.set(key_of_port(port.name), std::move(configs));
}

}  // namespace hnv::policy
