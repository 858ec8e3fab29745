// MACs that ports of hardware_vtep have shown: which port each is behind, and which addresses it
// has.
//
// A learned MAC is tied to a port that is active in the subnet and goes with it. It says more than
// a row of Ucast_Macs_Remote, whose Mac object it leaves alone: the switch asks for what is here
// first. A MAC has one place in a subnet, an address one MAC.
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

namespace {

[[nodiscard]] std::optional<IpAddress>& of_family(LearnedRecord& learned, bool v4) {
    return v4 ? learned.v4 : learned.v6;
}

}  // namespace

const PortRecord* Model::learning_port(std::uint32_t ofport) const {
    const auto port = learning_ports_.find(ofport);
    return port == learning_ports_.end() ? nullptr : port->second;
}

bool Model::learns(const PortRecord& port, const SubnetRecord& subnet, std::uint16_t vlan) {
    if (!port.view || !port.view->active || !port.view->vtep || !subnet.in_force) {
        return false;
    }
    const auto bound = port.subnets.find(vlan);
    return bound != port.subnets.end() && bound->second == &subnet &&
           std::ranges::any_of(port.view->attachments,
                               [vlan](const Attachment& each) { return each.vlan == vlan; });
}

SightingStatus Model::look_at(const Sighting& sighting) const {
    using Standing = SightingStatus::Standing;
    const PortRecord* port = learning_port(sighting.ofport);
    if (port == nullptr) {
        return {};
    }
    const auto bound = port->subnets.find(sighting.vlan);
    if (bound == port->subnets.end() || !learns(*port, *bound->second, sighting.vlan)) {
        return {};
    }
    const SubnetRecord& subnet = *bound->second;
    SightingStatus status;
    status.id = {ObjectKind::Learned, subnet.number, sighting.mac.bits()};
    status.of_port = port->learned.size();
    const PortSettingsSpec* settings = port->settings.spec();
    status.limit = settings == nullptr ? kDefaultLearnedMacs
                                       : settings->learned_macs_limit.value_or(kDefaultLearnedMacs);
    status.port = port->name;
    status.row = row_of({ObjectKind::Port, port->number, 0});
    const bool of_another = std::ranges::any_of(subnet.ports, [&](const PortRecord* other) {
        return other != port && other->attached_mac == sighting.mac;
    });
    const auto known = subnet.learned.find(sighting.mac);
    if (of_another || sighting.mac == router_mac_) {
        status.standing = Standing::Reserved;
    } else if (known == subnet.learned.end()) {
        status.standing = Standing::New;
    } else if (known->second.port != port || known->second.vlan != sighting.vlan) {
        status.standing = Standing::Elsewhere;
    } else {
        status.standing = Standing::Here;
        if (sighting.address) {
            const auto& before = sighting.address->is_v4() ? known->second.v4 : known->second.v6;
            status.news = before != sighting.address;
            const auto has = subnet.learned_cas.find(*sighting.address);
            const bool of_another = has != subnet.learned_cas.end() && has->second != sighting.mac;
            status.replaces = status.news && (before || of_another);
        }
    }
    return status;
}

void Model::learn(const Sighting& sighting) {
    using Standing = SightingStatus::Standing;
    const SightingStatus status = look_at(sighting);
    if (status.standing == Standing::NoPort || status.standing == Standing::Reserved) {
        return;
    }
    SubnetRecord& subnet = *subnets_by_number_.at(status.id.owner);
    place(subnet, sighting.mac, *learning_ports_.at(sighting.ofport), sighting.vlan);
    if (sighting.address) {
        give_address(subnet, sighting.mac, *sighting.address);
    }
}

bool Model::restore(const LearnedKey& key, const LearnedStatus& status) {
    const auto subnet = subnets_.find(key.subnet);
    const auto port = ports_.find(status.port);
    if (subnet == subnets_.end() || port == ports_.end() ||
        !learns(*port->second, *subnet->second, status.vlan)) {
        return false;
    }
    Sighting sighting{port->second->view->ofport, status.vlan, key.mac, std::nullopt};
    learn(sighting);
    for (const auto& address : {status.v4, status.v6}) {
        if (address) {
            sighting.address = address;
            learn(sighting);
        }
    }
    return true;
}

void Model::place(SubnetRecord& subnet, const MacAddress& mac, PortRecord& port,
                  std::uint16_t vlan) {
    const auto [entry, fresh] = subnet.learned.try_emplace(mac);
    LearnedRecord& learned = entry->second;
    if (!fresh && learned.port == &port && learned.vlan == vlan) {
        return;
    }
    if (fresh) {
        ++learned_count_;
    } else {
        learned.port->learned.erase({&subnet, mac});
    }
    learned.port = &port;
    learned.vlan = vlan;
    port.learned.insert({&subnet, mac});
    touch_learned(subnet, mac);
}

// Of two MACs that claim an address the later has it: it has taken it over.
void Model::give_address(SubnetRecord& subnet, const MacAddress& mac, const IpAddress& address) {
    LearnedRecord& learned = subnet.learned.at(mac);
    if (of_family(learned, address.is_v4()) == address) {
        return;
    }
    if (const auto other = subnet.learned_cas.find(address); other != subnet.learned_cas.end()) {
        take_address(subnet, MacAddress(other->second), address.is_v4());
    }
    take_address(subnet, mac, address.is_v4());
    of_family(learned, address.is_v4()) = address;
    subnet.learned_cas.emplace(address, mac);
    touch_learned(subnet, mac);
    touch_routes_to(subnet, address);
}

void Model::take_address(SubnetRecord& subnet, const MacAddress& mac, bool v4) {
    auto& address = of_family(subnet.learned.at(mac), v4);
    if (address) {
        subnet.learned_cas.erase(*address);
        touch_routes_to(subnet, *address);
        address.reset();
        touch_learned(subnet, mac);
    }
}

void Model::forget(const ObjectId& learned) {
    const auto subnet = subnets_by_number_.find(learned.owner);
    if (learned.kind == ObjectKind::Learned && subnet != subnets_by_number_.end()) {
        forget(*subnet->second, MacAddress::from_bits(learned.detail));
    }
}

void Model::forget(const LearnedKey& learned) {
    if (const auto subnet = subnets_.find(learned.subnet); subnet != subnets_.end()) {
        forget(*subnet->second, learned.mac);
    }
}

void Model::forget(SubnetRecord& subnet, const MacAddress& mac) {
    const auto known = subnet.learned.find(mac);
    if (known == subnet.learned.end()) {
        return;
    }
    take_address(subnet, mac, true);
    take_address(subnet, mac, false);
    touch_learned(subnet, mac);
    known->second.port->learned.erase({&subnet, mac});
    subnet.learned.erase(known);
    --learned_count_;
}

void Model::touch_learned(const SubnetRecord& subnet, const MacAddress& mac) {
    touch(ObjectKind::Learned, subnet.number, mac.bits());
    changed_learned_.insert({subnet.row, mac});
}

void Model::touch_learned(const SubnetRecord& subnet) {
    for (const auto& [mac, learned] : subnet.learned) {
        touch_learned(subnet, mac);
    }
}

// The port has been resolved: what it may not have any more goes, the rest may look different.
void Model::resolve_learned(PortRecord& port) {
    for (const auto& [subnet, mac] : std::set(port.learned)) {
        if (learns(port, *subnet, subnet->learned.at(mac).vlan)) {
            touch_learned(*subnet, mac);
        } else {
            forget(*subnet, mac);
        }
    }
    if (learning_port(port.learning_ofport) == &port) {
        learning_ports_.erase(port.learning_ofport);
    }
    const bool learning = port.view && port.view->active && port.view->vtep;
    port.learning_ofport = learning ? port.view->ofport : 0;
    if (learning) {
        learning_ports_.insert_or_assign(port.learning_ofport, &port);
    }
    for (const auto& [vlan, subnet] : port.subnets) {
        touch_flood_endpoint(*subnet);
        const auto own =
            port.attached_mac ? subnet->learned.find(*port.attached_mac) : subnet->learned.end();
        if (learning && own != subnet->learned.end() && own->second.port != &port) {
            forget(*subnet, *port.attached_mac);
        }
    }
}

void Model::touch_flood_endpoint(const SubnetRecord& subnet) {
    if (vtep_rows_.contains(subnet.row)) {
        changed_flood_endpoints_.insert(subnet.row);
    }
}

Flood Model::flood_of(const SubnetRecord& subnet) const {
    return subnet.groups.contains(std::nullopt) ? Flood::Everywhere : Flood::Here;
}

std::optional<LearnedView> Model::learned(const ObjectId& id) const {
    const auto entry = subnets_by_number_.find(id.owner);
    if (entry == subnets_by_number_.end() || !entry->second->in_force) {
        return std::nullopt;
    }
    const SubnetRecord& subnet = *entry->second;
    const auto mac = MacAddress::from_bits(id.detail);
    const auto known = subnet.learned.find(mac);
    if (known == subnet.learned.end() || !known->second.port->view) {
        return std::nullopt;
    }
    const LearnedRecord& learned = known->second;
    LearnedView view{subnet.spec->vsid, mac, learned.port->view->ofport, learned.vlan, learned.v4,
                     learned.v6,        {}};
    if (router_of(subnet) == nullptr) {
        return view;
    }
    for (const auto& ca : {learned.v4, learned.v6}) {
        if (ca && may_have(subnet, *ca)) {
            view.routed_cas.push_back(*ca);
        }
    }
    return view;
}

// Whether the router takes it from what was seen that somebody in the subnet has the address: a row
// of Ucast_Macs_Remote that names it says whose it is.
bool Model::may_have(const SubnetRecord& subnet, const IpAddress& ca) {
    return !subnet.by_ca.contains(ca) && !subnet.gateways.contains(ca) && subnet.bindings.spec() &&
           std::ranges::any_of(*subnet.bindings.spec(),
                               [&](const IpPrefix& prefix) { return prefix.contains(ca); });
}

std::optional<LearnedStatus> Model::learned(const LearnedKey& key) const {
    const auto subnet = subnets_.find(key.subnet);
    if (subnet == subnets_.end() || !subnet->second->in_force) {
        return std::nullopt;
    }
    const auto known = subnet->second->learned.find(key.mac);
    if (known == subnet->second->learned.end()) {
        return std::nullopt;
    }
    const LearnedRecord& learned = known->second;
    return LearnedStatus{learned.port->name, learned.vlan, subnet->second->spec->vsid,
                         learned.v4,         learned.v6,   learned.port->status.pa};
}

std::optional<IpAddress> Model::flood_endpoint(const Uuid& subnet) const {
    const auto entry = subnets_.find(subnet);
    std::optional<IpAddress> lowest;
    if (entry == subnets_.end()) {
        return lowest;
    }
    for (const PortRecord* port : entry->second->ports) {
        const auto& pa = port->status.pa;
        const bool here = std::ranges::any_of(port->subnets, [&](const auto& bound) {
            return bound.second == entry->second.get() && learns(*port, *bound.second, bound.first);
        });
        if (here && pa && pa->is_v4() && (!lowest || *pa < *lowest)) {
            lowest = pa;
        }
    }
    return lowest;
}

std::set<LearnedKey> Model::take_learned_changes() { return std::exchange(changed_learned_, {}); }

std::set<Uuid> Model::take_flood_endpoint_changes() {
    return std::exchange(changed_flood_endpoints_, {});
}

}  // namespace hnv::policy
