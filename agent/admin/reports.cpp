#include "admin/reports.h"

#include <json/writer.h>
#include <unistd.h>

#include <map>
#include <set>
#include <tuple>

namespace hnv::admin {

namespace {

[[nodiscard]] Json::Value number(std::uint64_t value) { return Json::UInt64{value}; }

[[nodiscard]] const char* to_string(policy::PortState state) {
    switch (state) {
        case policy::PortState::Unplugged:
            return "unplugged";
        case policy::PortState::Blocked:
            return "blocked";
        case policy::PortState::Active:
            return "active";
    }
    return "";
}

[[nodiscard]] const char* to_string(policy::MappingType type) {
    switch (type) {
        case policy::MappingType::Default:
            return "default";
        case policy::MappingType::LearningDisabled:
            return "learning_disabled";
        case policy::MappingType::LoadBalanced:
            return "load_balanced";
    }
    return "";
}

[[nodiscard]] const char* to_string(policy::Encapsulation encapsulation) {
    return encapsulation == policy::Encapsulation::Vxlan ? "vxlan" : "nvgre";
}

[[nodiscard]] Json::Value to_json(const responder::QuestionCounters& counters) {
    Json::Value of_questions;
    of_questions["answered"] = number(counters.answered);
    of_questions["missed"] = number(counters.missed);
    of_questions["own_address"] = number(counters.own_address);
    of_questions["malformed"] = number(counters.malformed);
    of_questions["limited"] = number(counters.overflow);
    return of_questions;
}

[[nodiscard]] Json::Value to_json(const responder::IcmpErrorCounters& counters) {
    Json::Value of_errors;
    of_errors["ttl_expired"] = number(counters.ttl_expired);
    of_errors["no_route"] = number(counters.no_route);
    of_errors["host_unknown"] = number(counters.host_unknown);
    of_errors["too_big"] = number(counters.too_big);
    of_errors["suppressed"] = number(counters.suppressed);
    of_errors["malformed"] = number(counters.malformed);
    of_errors["limited"] = number(counters.overflow);
    return of_errors;
}

[[nodiscard]] Json::Value to_json(const responder::GuestCounters& counters) {
    Json::Value of_guests;
    of_guests["answered"] = number(counters.answered);
    of_guests["denied"] = number(counters.denied);
    of_guests["declined"] = number(counters.declined);
    of_guests["released"] = number(counters.released);
    of_guests["ignored"] = number(counters.ignored);
    of_guests["malformed"] = number(counters.malformed);
    of_guests["limited"] = number(counters.overflow);
    return of_guests;
}

// Of what a router answers and what it says unasked.
[[nodiscard]] Json::Value advertisements(const responder::GuestCounters& counters) {
    Json::Value of_router;
    of_router["answered"] = number(counters.answered);
    of_router["unasked"] = number(counters.unasked);
    of_router["ignored"] = number(counters.ignored);
    of_router["malformed"] = number(counters.malformed);
    of_router["limited"] = number(counters.overflow);
    return of_router;
}

}  // namespace

std::string to_text(const Json::Value& value) {
    Json::StreamWriterBuilder builder;
    builder["indentation"] = "  ";
    return Json::writeString(builder, value) + "\n";
}

void add_responder(Json::Value& status, const responder::Counters& counters) {
    status["arp"] = to_json(counters.arp);
    status["nd"] = to_json(counters.nd);
    status["icmp_errors"] = to_json(counters.icmp_errors);
    status["dhcp"] = to_json(counters.dhcp);
    status["dhcpv6"] = to_json(counters.dhcpv6);
    status["router_advertisements"] = advertisements(counters.router_advertisements);
    status["responder"]["unexpected"] = number(counters.unexpected);
    status["responder"]["refused"] = number(counters.refused);
}

void add_audit_log(Json::Value& status, const audit::Counters& counters) {
    Json::Value& of_log = status["audit_log"];
    of_log["written"] = number(counters.written);
    of_log["suppressed"] = number(counters.suppressed);
    of_log["dropped"] = number(counters.dropped);
    of_log["errors"] = number(counters.errors);
    of_log["malformed"] = number(counters.malformed);
}

void add_server(Json::Value& status, const ovs::ServerCounters& counters) {
    Json::Value& of_server = status["server"];
    of_server["clients"] = number(counters.clients);
    of_server["clients_refused"] = number(counters.clients_refused);
    of_server["clients_stalled"] = number(counters.clients_stalled);
    of_server["untrusted"] = number(counters.untrusted);
    of_server["messages_refused"] = number(counters.messages_refused);
    of_server["monitors_refused"] = number(counters.monitors_refused);
    of_server["waits_refused"] = number(counters.waits_refused);
    of_server["locks_refused"] = number(counters.locks_refused);
    of_server["permissions_refused"] = number(counters.permissions_refused);
}

std::vector<std::string> Reports::problems() const {
    std::vector<std::string> problems;
    const underlay::Facts& facts = sources_.underlay.facts();
    if (!facts.switch_db_connected) {
        problems.emplace_back(
            "the switch's database can't be reached: is ovsdb-server running, and is --ovs-db "
            "right?");
    }
    if (!facts.problem.empty()) {
        problems.push_back(facts.problem);
    }
    if (!facts.bridge_ready) {
        problems.push_back("bridge " + sources_.bridge + " is not ready: is ovs-vswitchd running?");
    } else if (sources_.southbound.state() == southbound::State::Offline) {
        problems.push_back("no OpenFlow connection to bridge " + sources_.bridge +
                           ": is ovs-vswitchd running, and is --ovs-run-dir right?");
    }
    for (const auto& [object, error] : sources_.refused) {
        problems.push_back("the switch refused what every packet needs: " + error);
    }
    if (!sources_.responder.connected()) {
        problems.emplace_back(
            "the responder has no connection to the switch: nobody answers the guests' ARP");
    }
    if (const std::string problem = sources_.audit_log.problem(); !problem.empty()) {
        problems.push_back("the audit log loses records: " + problem);
    }
    if (sources_.zone_limits != nullptr && !sources_.zone_limits->problem().empty()) {
        problems.push_back("no flow_limit is in force: " + sources_.zone_limits->problem());
    }
    if (const std::string problem = sources_.server.storage().problem; !problem.empty()) {
        problems.push_back(problem);
    }
    if (!sources_.server.remote_error().empty()) {
        problems.push_back("a remote does not work: " + sources_.server.remote_error());
    }
    std::set<policy::RowRef> at_fault;
    for (const auto& [id, message] : sources_.faults.all()) {
        at_fault.insert(id.first);
    }
    if (const std::size_t count = at_fault.size(); count > 0) {
        problems.push_back(std::to_string(count) + (count == 1 ? " row can't" : " rows can't") +
                           " be realised: see hnvctl faults");
    }
    return problems;
}

Json::Value Reports::switch_status() const {
    const southbound::Counters& counters = sources_.southbound.counters();
    Json::Value of_switch;
    of_switch["bridge"] = sources_.bridge;
    of_switch["run_dir"] = sources_.ovs_run_dir;
    of_switch["state"] = southbound::to_string(sources_.southbound.state());
    of_switch["connected"] = sources_.southbound.state() != southbound::State::Offline;
    of_switch["flows"] = number(sources_.southbound.flows());
    of_switch["flow_mods"] = number(counters.flow_mods);
    of_switch["bundles"] = number(counters.bundles);
    of_switch["bundle_errors"] = number(counters.bundle_errors);
    of_switch["last_bundle_us"] = Json::Int64{counters.last_bundle.count()};
    of_switch["read_backs"] = number(counters.read_backs);
    of_switch["kept"] = number(counters.kept);
    of_switch["repaired"] = number(counters.repaired);
    of_switch["stray"] = number(counters.stray);
    return of_switch;
}

Json::Value Reports::policy_status() const {
    const policy::ModelCounts counts = sources_.model.counts();
    Json::Value of_policy;
    of_policy["virtual_networks"] = number(counts.networks);
    of_policy["subnets"] = number(counts.subnets);
    of_policy["mappings"] = number(counts.mappings);
    of_policy["ports"] = number(counts.ports);
    of_policy["ports_active"] = number(counts.ports_active);
    of_policy["provider_addresses"] = number(counts.provider_addresses);
    of_policy["rules"] = number(counts.rules);
    of_policy["faults"] = number(sources_.faults.all().size());
    return of_policy;
}

Json::Value Reports::database_status() const {
    Json::Value databases(Json::arrayValue);
    for (const ovs::DatabaseInfo& database : sources_.server.databases()) {
        const auto sequence = sources_.sequences.status(database.name);
        Json::Value entry;
        entry["name"] = database.name;
        entry["version"] = database.version;
        entry["next_cfg"] = Json::Int64{sequence.next};
        entry["cur_cfg"] = Json::Int64{sequence.current};
        databases.append(entry);
    }
    return databases;
}

Json::Value Reports::learning_status() const {
    Json::Value status;
    status["macs"] = number(sources_.model.learned_macs());
    if (sources_.macs != nullptr) {
        const learning::Counters& counters = sources_.macs->counters();
        status["learned"] = number(counters.learned);
        status["moved"] = number(counters.moved);
        status["aged_out"] = number(counters.aged_out);
        status["refused"] = number(counters.refused);
        status["reserved"] = number(counters.reserved);
        status["held"] = number(counters.held);
    }
    if (sources_.learning != nullptr) {
        const learning::ListenerCounters counters = sources_.learning->counters();
        status["heard"] = number(counters.heard);
        status["dropped"] = number(counters.dropped);
        status["malformed"] = number(counters.malformed);
    }
    return status;
}

Json::Value Reports::demand_status() const {
    Json::Value status;
    status["destinations"] = number(sources_.model.demanded());
    if (sources_.programmer != nullptr) {
        const demand::Counters& counters = sources_.programmer->counters();
        status["programmed"] = number(counters.programmed);
        status["aged_out"] = number(counters.aged_out);
        status["evicted"] = number(counters.evicted);
        status["refused"] = number(counters.refused);
        status["unknown"] = number(counters.unknown);
        status["resumed"] = number(counters.resumed);
        status["lost"] = number(counters.lost);
    }
    if (sources_.demands != nullptr) {
        const demand::ListenerCounters counters = sources_.demands->counters();
        status["packets"] = number(counters.packets);
        status["announced"] = number(counters.announced);
        status["dropped"] = number(counters.dropped);
        status["malformed"] = number(counters.malformed);
    }
    return status;
}

Json::Value Reports::status() const {
    Json::Value status;
    status["name"] = sources_.name;
    status["version"] = sources_.version;
    status["pid"] = static_cast<Json::Int64>(getpid());
    status["uptime_s"] = Json::Int64{std::chrono::duration_cast<std::chrono::seconds>(
                                         std::chrono::steady_clock::now() - sources_.started)
                                         .count()};
    const auto problems = this->problems();
    status["healthy"] = problems.empty();
    status["problems"] = Json::Value(Json::arrayValue);
    for (const std::string& problem : problems) {
        status["problems"].append(problem);
    }

    status["switch"] = switch_status();
    status["policy"] = policy_status();
    status["databases"] = database_status();
    add_responder(status, sources_.responder.counters());
    add_audit_log(status, sources_.audit_log.counters());
    add_server(status, sources_.server.counters());
    status["learning"] = learning_status();
    status["on_demand"] = demand_status();
    return status;
}

Json::Value Reports::ports() const {
    Json::Value ports(Json::arrayValue);
    sources_.model.for_each_port([&](const policy::PortStatus& port) {
        Json::Value entry;
        entry["name"] = port.name;
        entry["interface"] = port.interface;
        entry["ofport"] = port.ofport;
        entry["mac"] = port.mac;
        entry["bindings"] = Json::Value(Json::arrayValue);
        for (const auto& binding : port.bindings) {
            Json::Value one;
            one["vlan"] = binding.vlan;
            one["vsid"] = binding.vsid;
            one["cas"] = Json::Value(Json::arrayValue);
            for (const IpAddress& ca : binding.cas) {
                one["cas"].append(ca.to_string());
            }
            entry["bindings"].append(one);
        }
        entry["state"] = to_string(port.state);
        entry["reason"] = port.reason;
        entry["provider_address"] =
            port.state == policy::PortState::Active && port.pa ? port.pa->to_string() : "";
        entry["rules"] = number(port.rules);
        ports.append(entry);
    });
    return ports;
}

Json::Value Reports::mappings() const {
    // By VSID, CA and MAC: what a person scans for. Several rows may say the same of different PAs.
    std::multimap<std::tuple<std::uint32_t, IpAddress, MacAddress>, Json::Value> sorted;
    sources_.model.for_each_mapping([&sorted](const policy::MappingStatus& mapping) {
        Json::Value entry;
        entry["vsid"] = mapping.vsid;
        entry["ca"] = mapping.ca ? mapping.ca->to_string() : "";
        entry["mac"] = mapping.mac.to_string();
        entry["pa"] = mapping.locator ? mapping.locator->pa.to_string() : "";
        entry["encapsulation"] = mapping.locator ? to_string(mapping.locator->encapsulation) : "";
        entry["type"] = to_string(mapping.type);
        entry["local"] = mapping.local;
        sorted.emplace(std::tuple(mapping.vsid, mapping.ca.value_or(IpAddress()), mapping.mac),
                       std::move(entry));
    });
    Json::Value mappings(Json::arrayValue);
    for (auto& [key, entry] : sorted) {
        mappings.append(std::move(entry));
    }
    return mappings;
}

Json::Value Reports::provider_addresses() const {
    Json::Value addresses(Json::arrayValue);
    for (const auto& address : sources_.provider_addresses) {
        Json::Value entry;
        entry["address"] = address.address.to_string();
        entry["interface"] = address.interface;
        entry["state"] = address.present ? "present" : "missing";
        entry["ports"] = number(address.ports);
        entry["made"] = address.made;
        entry["mark"] = number(address.mark);
        entry["mtu"] = number(address.mtu);
        addresses.append(entry);
    }
    return addresses;
}

Json::Value Reports::faults() const {
    // From the database, where each has the time since when it stands.
    Json::Value faults(Json::arrayValue);
    sources_.server.for_each_row("hnv_host", "Fault", [&faults](const ovs::Row& row) {
        Json::Value entry;
        entry["database"] = std::string(row.string("database"));
        entry["table"] = std::string(row.string("table"));
        entry["row"] = row.reference("row").value_or(Uuid{}).to_string();
        entry["key"] = std::string(row.string("key"));
        entry["message"] = std::string(row.string("message"));
        entry["since"] = std::string(row.string("since"));
        faults.append(entry);
    });
    return faults;
}

std::vector<std::pair<std::string, std::string>> Reports::host_status() const {
    const policy::ModelCounts counts = sources_.model.counts();
    const audit::Counters audited = sources_.audit_log.counters();
    const ovs::StorageState storage = sources_.server.storage();
    const ovs::ServerCounters served = sources_.server.counters();
    const learning::Counters learned =
        sources_.macs != nullptr ? sources_.macs->counters() : learning::Counters{};
    const demand::Counters demanded =
        sources_.programmer != nullptr ? sources_.programmer->counters() : demand::Counters{};
    return {{"version", sources_.version},
            {"storage", storage.problem.empty() ? "ok" : storage.problem},
            {"storage_failed", std::to_string(storage.failed)},
            {"switch_connected",
             sources_.southbound.state() == southbound::State::Offline ? "false" : "true"},
            {"virtual_networks", std::to_string(counts.networks)},
            {"subnets", std::to_string(counts.subnets)},
            {"mappings", std::to_string(counts.mappings)},
            {"ports", std::to_string(counts.ports)},
            {"ports_active", std::to_string(counts.ports_active)},
            {"provider_addresses", std::to_string(counts.provider_addresses)},
            {"rules", std::to_string(counts.rules)},
            {"faults", std::to_string(sources_.faults.all().size())},
            {"audit_log_written", std::to_string(audited.written)},
            {"audit_log_suppressed", std::to_string(audited.suppressed)},
            {"audit_log_lost", std::to_string(audited.dropped + audited.errors)},
            {"server_clients", std::to_string(served.clients)},
            {"server_clients_refused", std::to_string(served.clients_refused)},
            {"server_clients_stalled", std::to_string(served.clients_stalled)},
            {"server_untrusted", std::to_string(served.untrusted)},
            {"server_messages_refused", std::to_string(served.messages_refused)},
            {"server_monitors_refused", std::to_string(served.monitors_refused)},
            {"server_waits_refused", std::to_string(served.waits_refused)},
            {"server_locks_refused", std::to_string(served.locks_refused)},
            {"server_permissions_refused", std::to_string(served.permissions_refused)},
            {"learned_macs", std::to_string(counts.learned_macs)},
            {"learn_moved", std::to_string(learned.moved)},
            {"learn_refused", std::to_string(learned.refused)},
            {"learn_held", std::to_string(learned.held)},
            {"on_demand_destinations", std::to_string(sources_.model.demanded())},
            {"on_demand_refused", std::to_string(demanded.refused)},
            {"on_demand_lost", std::to_string(demanded.lost)},
            {"overruled_writes",
             std::to_string(sources_.ownership == nullptr ? 0 : sources_.ownership->overruled())}};
}

}  // namespace hnv::admin
