// Mirroring and service insertion: which rows of SI_Rule are in force, and where they lead.
//
// What a port's rows mean depends on more than the port: on the analyzer's interface, on who else
// has a mirror's key, on where the next hop's address is. ServiceIndex knows which rows refer to
// what has changed.
#include <algorithm>
#include <tuple>

#include "policy/model.h"

namespace hnv::policy {

namespace {

[[nodiscard]] std::optional<std::uint32_t> key_of(const ServiceRuleSpec& rule) {
    if (const auto* destination = std::get_if<MirrorDestinationSpec>(&rule.service)) {
        return destination->key;
    }
    const auto* source = std::get_if<MirrorSourceSpec>(&rule.service);
    const auto* remote =
        source != nullptr ? std::get_if<MirrorSourceSpec::Remote>(&source->analyzer) : nullptr;
    return remote != nullptr ? std::optional(remote->key) : std::nullopt;
}

// Which of two rules is asked first; ids are distinct among the rules of a port.
[[nodiscard]] bool before(const ServiceRuleSpec& a, const ServiceRuleSpec& b) {
    return std::tie(a.priority, a.id, a.port) < std::tie(b.priority, b.id, b.port);
}

template <typename Key>
void note(std::set<std::pair<Key, Uuid>>& index, const Key& key, const Uuid& row, bool there) {
    if (there) {
        index.emplace(key, row);
    } else {
        index.erase({key, row});
    }
}

}  // namespace

void Model::index_service(const Uuid& row, const ServiceRuleSpec& spec, bool there) {
    if (const auto key = key_of(spec)) {
        note(services_.keys, *key, row, there);
        touch_services_with_key(*key);
    }
    if (const auto* source = std::get_if<MirrorSourceSpec>(&spec.service)) {
        if (const auto* analyzer = std::get_if<std::string>(&source->analyzer)) {
            note(services_.analyzers, *analyzer, row, there);
        }
    } else if (const auto* insertion = std::get_if<InsertionSpec>(&spec.service)) {
        note(services_.next_hops, insertion->next_hop, row, there);
    }
    touched_services_.insert(spec.port);
}

void Model::put(const Uuid& row, ServiceRuleSpec spec) {
    remove_service(row);
    PortRecord& port = port_record(spec.port);
    services_.ports.emplace(row, spec.port);
    index_service(row, spec, true);
    port.services.emplace(row, std::move(spec));
}

void Model::remove_service(const Uuid& row) {
    const auto known = services_.ports.find(row);
    if (known == services_.ports.end()) {
        return;
    }
    PortRecord& port = port_record(known->second);
    services_.ports.erase(known);
    const auto service = port.services.find(row);
    index_service(row, service->second, false);
    port.services.erase(service);
    touch(ObjectKind::Service, port.number);
    touch_port(port);  // Which goes, if nothing else is known of it.
}

void Model::touch_services() {
    for (const auto& [row, port] : services_.ports) {
        touched_services_.insert(port);
    }
}

// The port's own rows, and those whose analyzer it is.
void Model::touch_services(const PortRecord& port) {
    if (!port.services.empty()) {
        touched_services_.insert(port.name);
    }
    for (auto each = services_.analyzers.lower_bound({port.name, Uuid{}});
         each != services_.analyzers.end() && each->first == port.name; ++each) {
        touched_services_.insert(services_.ports.at(each->second));
    }
}

void Model::touch_services_with_key(std::uint32_t key) {
    for (auto each = services_.keys.lower_bound({key, Uuid{}});
         each != services_.keys.end() && each->first == key; ++each) {
        touched_services_.insert(services_.ports.at(each->second));
    }
}

void Model::touch_services_with_next_hop(const IpAddress& ca) {
    for (auto each = services_.next_hops.lower_bound({ca, Uuid{}});
         each != services_.next_hops.end() && each->first == ca; ++each) {
        touched_services_.insert(services_.ports.at(each->second));
    }
}

// A packet out of a tunnel belongs to a virtual subnet or to a mirror: never to both.
std::optional<std::string> Model::why_no_key(std::uint32_t key) const {
    if (!subnets_by_vsid_.contains(key)) {
        return std::nullopt;
    }
    return "mirror key " + std::to_string(key) +
           " is the VSID of a Logical_Switch; use a key that is none";
}

std::optional<std::string> Model::trouble(const ServiceRuleSpec& rule,
                                          const MirrorSourceSpec& mirror) const {
    if (const auto* analyzer = std::get_if<std::string>(&mirror.analyzer)) {
        return *analyzer == rule.port
                   ? std::optional("rule " + rule.id + " copies what port " + rule.port +
                                   " sends and receives to the port itself; name another port")
                   : std::nullopt;
    }
    const auto& remote = std::get<MirrorSourceSpec::Remote>(mirror.analyzer);
    if (is_local_pa(remote.locator.pa)) {
        return "destination " + remote.locator.pa.to_string() + " of rule " + rule.id +
               " is a provider address of this host; name the analyzer by port= instead";
    }
    return why_no_key(remote.key);
}

// Of several rows with one key the first has it.
std::optional<std::string> Model::trouble(const Uuid& row, const ServiceRuleSpec& rule,
                                          const MirrorDestinationSpec& mirror) const {
    for (auto each = services_.keys.lower_bound({mirror.key, Uuid{}});
         each != services_.keys.end() && each->first == mirror.key; ++each) {
        const PortRecord& port = *ports_.at(services_.ports.at(each->second));
        const ServiceRuleSpec& other = port.services.at(each->second);
        if (each->second != row && std::holds_alternative<MirrorDestinationSpec>(other.service) &&
            before(other, rule)) {
            return "mirror key " + std::to_string(mirror.key) + " is already that of rule " +
                   other.id + " of port " + other.port + "; give one of them another";
        }
    }
    return why_no_key(mirror.key);
}

// nullopt: the analyzer is not plugged in here.
std::optional<ServiceView::Mirror> Model::mirror_of(const ServiceRuleSpec& rule,
                                                    const MirrorSourceSpec& mirror) const {
    ServiceView::Mirror view{rule.filter, mirror.outbound, mirror.inbound, 0, {}};
    if (const auto* remote = std::get_if<MirrorSourceSpec::Remote>(&mirror.analyzer)) {
        view.remote = *remote;
        return view;
    }
    const auto analyzer = ports_.find(std::get<std::string>(mirror.analyzer));
    if (analyzer == ports_.end() || !analyzer->second->view) {
        return std::nullopt;
    }
    view.ofport = analyzer->second->view->ofport;
    return view;
}

// As a static route's next hop: a CA of a subnet of the port's virtual network, no gateway.
ServiceView::Insertion::Hop Model::hop_of(const SubnetRecord& subnet, const Attachment& attachment,
                                          const IpAddress& next_hop) const {
    ServiceView::Insertion::Hop hop{attachment.vlan, attachment.vsid, std::nullopt};
    const auto look_in = [&](const SubnetRecord& one) {
        const MappingRecord* owner = owner_of(one, next_hop);
        const bool itself =
            owner != nullptr && owner->mac == attachment.mac && one.spec->vsid == attachment.vsid;
        if (!hop.mac && owner != nullptr && !itself && !one.gateways.contains(next_hop)) {
            hop.vsid = one.spec->vsid;
            hop.mac = owner->mac;
        }
    };
    if (const RouterRecord* router = router_of(subnet)) {
        for (const SubnetRecord* each : subnets_of(*router)) {
            look_in(*each);
        }
    } else {
        look_in(subnet);
    }
    return hop;
}

ServiceView::Insertion Model::insertion_of(const PortRecord& port, const ServiceRuleSpec& rule,
                                           const InsertionSpec& insertion) const {
    ServiceView::Insertion view{rule.filter, {}, insertion.fail_open};
    for (const Attachment& attachment : port.view->attachments) {
        view.hops.push_back(
            hop_of(*port.subnets.at(attachment.vlan), attachment, insertion.next_hop));
    }
    return view;
}

void Model::resolve_services(PortRecord& port) {
    touch(ObjectKind::Service, port.number);
    port.service_view.reset();
    ServiceView view;
    view.port = port.name;
    view.tunnels = tunnels_;
    const bool active = port.view && port.view->active;
    if (port.view) {
        view.ofport = port.view->ofport;
        view.mark_v4 = port.view->mark_v4;
        view.mark_v6 = port.view->mark_v6;
    }
    std::vector<std::pair<const ServiceRuleSpec*, Uuid>> rules;
    for (const auto& [row, rule] : port.services) {
        rules.emplace_back(&rule, row);
    }
    std::sort(rules.begin(), rules.end(),
              [](const auto& a, const auto& b) { return before(*a.first, *b.first); });
    for (const auto& [rule, row] : rules) {
        std::optional<std::string> wrong;
        std::optional<std::string> unmapped;
        if (const auto* source = std::get_if<MirrorSourceSpec>(&rule->service)) {
            wrong = trouble(*rule, *source);
            const auto mirror = wrong ? std::nullopt : mirror_of(*rule, *source);
            if (mirror && active) {
                view.mirrors.push_back(*mirror);
            }
        } else if (const auto* arrival = std::get_if<MirrorDestinationSpec>(&rule->service)) {
            wrong = trouble(row, *rule, *arrival);
            if (!wrong) {
                view.arrivals.push_back(*arrival);
            }
        } else if (active) {
            const auto& insertion = std::get<InsertionSpec>(rule->service);
            view.insertions.push_back(insertion_of(port, *rule, insertion));
            const auto& hops = view.insertions.back().hops;
            if (std::any_of(hops.begin(), hops.end(), [](const auto& hop) { return !hop.mac; })) {
                unmapped = "next hop " + insertion.next_hop.to_string() + " of rule " + rule->id +
                           " is not mapped to another port of this virtual network; until it is, "
                           "what matches is " +
                           (insertion.fail_open ? "passed on without it" : "dropped");
            }
        }
        const RowRef ref{SourceTable::MsServiceInsertionRule, row};
        faults_.set(ref, FaultKey::MirrorTarget, wrong);
        faults_.set(ref, FaultKey::NextHopUnmapped, unmapped);
    }
    if (port.view) {
        port.service_view = std::move(view);
    }
}

// Precondition: ports, subnets and mappings are resolved.
void Model::resolve_services() {
    for (const std::string& name : std::exchange(touched_services_, {})) {
        const auto port = ports_.find(name);
        if (port != ports_.end()) {
            resolve_services(*port->second);
        }
    }
}

std::optional<ServiceView> Model::service(const ObjectId& id) const {
    const auto entry = ports_by_number_.find(id.owner);
    return entry == ports_by_number_.end() ? std::nullopt : entry->second->service_view;
}

}  // namespace hnv::policy
