#include "agent.h"

#include <algorithm>

#include "northbound/binding_stats.h"
#include "northbound/conflicts.h"
#include "northbound/hardware_vtep_reader.h"
#include "northbound/hnv_host_reader.h"
#include "northbound/ms_darv_reader.h"
#include "northbound/ms_firewall_reader.h"
#include "northbound/ms_service_insertion_reader.h"
#include "northbound/ms_vtep_reader.h"
#include "northbound/own_rows.h"
#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"
#include "pipeline/compile.h"
#include "schema/schemas_embedded.h"

namespace hnv {

namespace {

constexpr const char* kModule = "agent";
// The databases, in the order in which they are read. Another one is a schema, a reader and a line.
constexpr std::array kDatabases{"hnv_host",      "ms_darv", "ms_firewall", "ms_service_insertion",
                                "hardware_vtep", "ms_vtep"};
constexpr const char* kController = "ptcp:6640:127.0.0.1";
constexpr const char* kControllerTls = "pssl:6640";
constexpr const char* kDiagnostics = "ptcp:6641:127.0.0.1";

// Of tables that may be large: what is there is in the model.
[[nodiscard]] std::set<ovs::OvsdbThread::Table> unkept_tables() {
    return {{"ms_vtep", "Ucast_Macs_Remote"},
            {"hardware_vtep", "Ucast_Macs_Remote"},
            {"hardware_vtep", "ACL_entry"},
            {"ms_firewall", "FW_Rules"},
            {"ms_service_insertion", "SI_Rule"}};
}

[[nodiscard]] std::vector<ovs::Remote> remotes_of(const AgentConfig& config) {
    std::vector<ovs::Remote> remotes{{"punix:" + config.run_dir + "/db.sock", false},
                                     {kDiagnostics, true},
                                     {"db:ms_vtep,Global,managers", false},
                                     {"db:hardware_vtep,Global,managers", false},
                                     {"db:hnv_host,Host,connections", false}};
    remotes.push_back({config.tls.certificate.empty() ? kController : kControllerTls, false});
    for (const std::string& remote : config.remotes) {
        remotes.push_back({remote, false});
    }
    return remotes;
}

[[nodiscard]] std::string management_socket(const AgentConfig& config) {
    return "unix:" + config.ovs_run_dir + "/" + config.bridge + ".mgmt";
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::create(AgentConfig config) {
    std::unique_ptr<Agent> agent(new Agent(std::move(config)));
    if (Status opened = agent->open(); !opened) {
        return opened.error();
    }
    return agent;
}

Agent::Agent(AgentConfig config)
    : config_(std::move(config)),
      model_(neighbours_, faults_),
      databases_(server_, unkept_tables()),
      sequences_(databases_),
      writer_(databases_),
      ownership_(databases_),
      vtep_fault_writer_(databases_),
      vtep_arp_sources_(databases_),
      vtep_ports_(databases_, config_.name),
      fault_writer_(databases_),
      tunnels_(databases_, model_, faults_),
      underlay_({config_.ovs_db, config_.bridge, config_.datapath_type, config_.ovs_run_dir}),
      connection_(management_socket(config_), "southbound"),
      southbound_(connection_, [this](const policy::ObjectId& object) { return compile(object); }),
      demands_(management_socket(config_)),
      responder_(management_socket(config_), neighbours_, model_.leases(),
                 [this](std::uint32_t vsid, std::uint32_t ofport, const MacAddress& mac) {
                     demands_.announce(vsid, ofport, mac);
                 }),
      audit_log_(management_socket(config_), port_names_, config_.log_dir + "/audit.log"),
      listener_(management_socket(config_)),
      macs_(model_, faults_, management_socket(config_)),
      programmer_(model_, management_socket(config_)),
      vtep_local_macs_(databases_),
      drops_(model_, management_socket(config_)),
      binding_counters_(model_, management_socket(config_)),
      zone_limits_(config_.ovs_run_dir) {
    southbound_.set_adopt([this](const std::vector<std::uint64_t>& cookies) {
        return programmer_.adopt(cookies) ? model_.commit() : std::vector<policy::ObjectId>();
    });
    const auto sequence = [this](std::string_view database, const northbound::SequenceRow& row) {
        sequences_.on_row(database, row);
    };
    readers_.push_back(std::make_unique<northbound::MsVtepReader>(model_, faults_, sequence));
    readers_.push_back(std::make_unique<northbound::MsFirewallReader>(model_, faults_, sequence));
    readers_.push_back(std::make_unique<northbound::HardwareVtepReader>(model_, faults_, sequence));
    readers_.push_back(
        std::make_unique<northbound::MsServiceInsertionReader>(model_, faults_, sequence));
    readers_.push_back(std::make_unique<northbound::MsDarvReader>(model_, faults_, sequence));
    readers_.push_back(std::make_unique<northbound::HnvHostReader>(model_, faults_, sequence));
}

Agent::~Agent() {
    responder_.stop();
    listener_.stop();
    demands_.stop();
    audit_log_.stop();
}

Status Agent::open() {
    for (const char* database : kDatabases) {
        const std::string file = config_.db_dir + "/" + database + ".db";
        if (Status opened = server_.open(schema::text(database), file); !opened) {
            return opened;
        }
    }
    northbound::ensure_own_rows(server_, config_.name);
    load();
    if (!config_.tls.certificate.empty()) {
        server_.set_tls(config_.tls);
    }
    server_.set_remotes(remotes_of(config_));

    auto unixctl = ovs::UnixctlServer::listen(config_.unixctl);
    if (!unixctl) {
        return unixctl.error();
    }
    unixctl_ = std::move(*unixctl);
    reports_ = std::make_unique<admin::Reports>(admin::Sources{model_,
                                                               faults_,
                                                               southbound_,
                                                               responder_,
                                                               audit_log_,
                                                               underlay_,
                                                               sequences_,
                                                               databases_,
                                                               provider_addresses_,
                                                               refused_,
                                                               config_.name,
                                                               config_.bridge,
                                                               config_.ovs_run_dir,
                                                               config_.version,
                                                               started_,
                                                               &zone_limits_,
                                                               &listener_,
                                                               &macs_,
                                                               &ownership_,
                                                               &demands_,
                                                               &programmer_});
    add_commands();
    return {};
}

void Agent::add_commands() {
    const auto report = [this](const std::string& command,
                               Json::Value (admin::Reports::*make)() const) {
        unixctl_->add(command, [this, make]() -> Result<std::string> {
            return admin::to_text((*reports_.*make)());
        });
    };
    report("hnv/status", &admin::Reports::status);
    report("hnv/ports", &admin::Reports::ports);
    report("hnv/mappings", &admin::Reports::mappings);
    report("hnv/provider-addresses", &admin::Reports::provider_addresses);
    report("hnv/faults", &admin::Reports::faults);
    report("hnv/nat", &admin::Reports::nat);
    unixctl_->add_later(
        "hnv/drops", "[PORT]", 1,
        [this](const std::vector<std::string>& arguments, const ovs::UnixctlServer::Reply& reply) {
            drops_.ask(arguments.empty() ? std::nullopt : std::optional(arguments.front()), reply);
        });
    unixctl_->add("hnv/audit", [this]() -> Result<std::string> {
        southbound_.audit();
        return std::string("reading the switch back; see hnv/status\n");
    });
    unixctl_->add("hnv/audit-log/reopen", [this]() -> Result<std::string> {
        audit_log_.reopen();
        return std::string();
    });
    // As ovsdb-server has it; the answer says that it was started.
    unixctl_->add_later(
        "ovsdb-server/compact", "[DATABASE]", 1,
        [this](const std::vector<std::string>& arguments, const ovs::UnixctlServer::Reply& reply) {
            reply(compact(arguments.empty() ? std::nullopt : std::optional(arguments.front())));
        });
    unixctl_->add("exit", [this]() -> Result<std::string> {
        exiting_ = true;
        return std::string();
    });
}

Result<std::string> Agent::compact(const std::optional<std::string>& database) {
    bool known = false;
    for (const ovs::DatabaseInfo& each : databases_.databases()) {
        if (database && *database != each.name) {
            continue;
        }
        known = true;
        databases_.call([name = each.name](ovs::OvsdbServer& server) {
            const Status started = server.compacting(name) ? Status() : server.compact(name);
            if (!started) {
                log::error(kModule, name + " not compacted: " + started.error().message());
            }
        });
    }
    return known ? Result<std::string>(std::string())
                 : Error("no database named " + database.value_or(""));
}

pipeline::FlowSet Agent::compile(const policy::ObjectId& object) {
    pipeline::FlowSet flows = pipeline::compile(model_, object);
    if (object.kind == policy::ObjectKind::Port) {
        std::vector<underlay::ZoneLimit> limits;
        for (const pipeline::ZoneLimit& zone : flows.zone_limits) {
            limits.push_back({zone.zone, zone.limit});
        }
        zone_limits_.want(object, std::move(limits));
    }
    if (object.kind == policy::ObjectKind::Learned) {
        macs_.note_flows(object, flows);
    }
    tell_shortfall(object, flows.shortfall);
    return flows;
}

// At the row that was told last, too: of rules that share a rank it may be another one by now.
void Agent::tell_shortfall(const policy::ObjectId& object, const std::string& shortfall) {
    const auto key = object.kind == policy::ObjectKind::Subnet ? policy::FaultKey::ReplicationLimit
                                                               : policy::FaultKey::RuleLimit;
    if (const auto told = shortfalls_.find(object); told != shortfalls_.end()) {
        faults_.set(told->second, key, std::nullopt);
        shortfalls_.erase(told);
    }
    if (shortfall.empty()) {
        return;
    }
    if (const auto row = model_.row_of(object)) {
        faults_.set(*row, key, shortfall);
        shortfalls_.emplace(object, *row);
    }
}

// Reads the databases into the model, and hears of what is committed from then on.
void Agent::load() {
    late_ = northbound::rows_in_conflict(server_);
    databases_.subscribe(*this);
    const auto late = std::exchange(late_, {});
    const auto read_late = [&](const char* database, const char* table) {
        server_.for_each_row(database, table, [&](const ovs::Row& row) {
            if (late.contains(row.uuid())) {
                on_row(database, {table, row.uuid(), std::nullopt, row});
            }
        });
    };
    for (const char* database : {"ms_vtep", "hardware_vtep"}) {
        for (const char* table :
             {"Logical_Switch", "Logical_Router", "Physical_Port", "Ucast_Macs_Remote"}) {
            read_late(database, table);
        }
    }
    read_late("hnv_host", "NAT");
    read_late("hnv_host", "Port_Settings");
    for (const char* table : {"Ports", "IP_Addresses"}) {
        read_late("ms_darv", table);
    }
    binding_counters_.restore(northbound::read_binding_stats(server_));
    on_commit("ms_darv");
    on_commit("ms_vtep");
}

void Agent::on_row(std::string_view database, const ovs::RowChange& change) {
    vtep_local_macs_.on_row(database, change);
    if (late_.contains(change.uuid)) {
        return;
    }
    for (const auto& reader : readers_) {
        if (reader->database() == database) {
            reader->on_row(change);
        }
    }
    tunnels_.on_row(database, change);
    ownership_.on_row(database, change);
    if (change.after) {
        unseen_.erase(change.uuid);
    }
    vtep_ports_due_ |= database == "hardware_vtep" &&
                       (change.table == "Physical_Port" || change.table == "Physical_Switch");
    if (change.table == "Fault") {
        fault_writer_.on_row(change);
    } else if (change.table == "Ucast_Macs_Local") {
        endpoints_due_ = true;
    } else if (change.table == "Arp_Sources_Local") {
        vtep_arp_sources_.look_again();
    } else if (!change.after && (change.table == "Global" || change.table == "Physical_Switch" ||
                                 change.table == "FW_Global" || change.table == "SI_Global" ||
                                 change.table == "Host")) {
        own_rows_missing_ = true;
    }
}

void Agent::on_commit(std::string_view database) {
    for (const auto& [uuid, row] : std::exchange(unseen_, {})) {
        faults_.clear_row(row);
        model_.remove(row);
    }
    if (database == "hnv_host") {
        want_provider_addresses();
        take_host_settings();
    } else if (database == "ms_vtep") {
        underlay_.set_vlan_uplinks(model_.vlan_uplinks());
        take_vlan_uplinks();
    }
    want_bfd_sessions();
    take_carried_addresses();
    const std::vector<policy::ObjectId> changed = model_.commit();
    sequences_.on_applied(database, southbound_.apply(changed));
    tell_all_ = true;
}

void Agent::on_replaced(std::string_view database) {
    log::warn(kModule, "database " + std::string(database) +
                           " was replaced by a client; its policy is read again");
    tunnels_.on_replaced(database);
    const auto of_database = [database](const policy::RowRef& row) {
        return policy::name_of(row.table).database == database;
    };
    vtep_local_macs_.on_replaced(database);
    vtep_arp_sources_.look_again();
    for (const policy::RowRef& row : model_.rows()) {
        if (of_database(row)) {
            unseen_.emplace(row.uuid, row);
        }
    }
    for (const auto& [id, message] : faults_.all()) {
        if (of_database(id.first)) {
            unseen_.emplace(id.first.uuid, id.first);
        }
    }
}

void Agent::run() {
    databases_.start();
    responder_.start();
    audit_log_.start();
    listener_.start();
    demands_.start();
    while (!exiting_) {
        turn();
        ovs::block();
    }
    log::info(kModule, "exiting; the switch goes on with the flows that it has");
}

void Agent::turn() {
    unixctl_->run();
    databases_.run();
    if (underlay_.run() || !underlay_known_) {
        take_underlay();
    }
    watch_peers();
    learn();
    meet_demand();
    southbound_.run();
    resume_packets();
    limit_connections();
    drops_.run();
    if (underlay_known_) {
        binding_counters_.run();
    }
    tell();

    unixctl_->wait();
    databases_.wait();
    underlay_.wait();
    southbound_.wait();
    drops_.wait();
    listener_.wait();
    macs_.wait();
    demands_.wait();
    programmer_.wait();
    if (underlay_known_) {
        binding_counters_.wait();
    }
    zone_limits_.wait();
    if (exiting_) {
        ovs::wake_now();
    }
}

void Agent::limit_connections() {
    if (switch_generation_ != connection_.generation()) {
        switch_generation_ = connection_.generation();
        zone_limits_.look_again();
    }
    const bool offline = southbound_.state() == southbound::State::Offline;
    zone_limits_.run(offline ? std::string() : underlay_.datapath_type());
}

void Agent::want_provider_addresses() {
    std::vector<underlay::ProviderAddressConfig> wanted;
    model_.for_each_provider_address([&](const Uuid&, const policy::ProviderAddressSpec& spec) {
        wanted.push_back({spec.address, spec.gateway, spec.vlan, spec.mac, spec.uplink});
    });
    underlay_.set_provider_addresses(std::move(wanted));
}

void Agent::take_host_settings() {
    const policy::HostSettingsSpec& settings = model_.host_settings();
    audit::Rotation rotation;
    rotation.max_bytes = settings.audit_log_max_bytes.value_or(rotation.max_bytes);
    rotation.files = settings.audit_log_files.value_or(rotation.files);
    audit_log_.set_rotation(rotation);
    ovs::ServerLimits limits;
    limits.clients = settings.server_max_clients.value_or(limits.clients);
    limits.message_bytes = settings.server_max_message_bytes.value_or(limits.message_bytes);
    limits.monitors = settings.server_max_monitors.value_or(limits.monitors);
    limits.waits = settings.server_max_waits.value_or(limits.waits);
    limits.locks = settings.server_max_locks.value_or(limits.locks);
    limits.backlog_bytes = settings.server_max_backlog_bytes.value_or(limits.backlog_bytes);
    server_.set_limits(limits);
    binding_counters_.set_interval(
        settings.stats_interval_seconds.value_or(policy::kDefaultStatsIntervalSeconds));
    vtep_ports_due_ |= vtep_ports_.listed() != settings.vtep_list_ports;
}

void Agent::take_underlay() {
    const underlay::Facts& facts = underlay_.facts();
    std::vector<policy::InterfaceSpec> interfaces;
    std::unordered_map<std::uint32_t, std::string> names;
    for (const ovs::InterfaceFacts& interface : facts.interfaces) {
        interfaces.push_back({interface.name, interface.ofport,
                              policy::normalize_port_name(interface.iface_id),
                              interface.attached_mac, interface.vm_name});
        names.emplace(interface.ofport, interfaces.back().port);
    }
    model_.set_interfaces(interfaces);
    port_names_.assign(std::move(names));
    model_.set_tunnel_ports({facts.vxlan_ofport, facts.nvgre_ofport});
    take_vlan_uplinks();
    take_bfd_sessions();
    take_carried_addresses();
    realise();
    // Until the host's side is known, flows of ports that we have not seen yet would be taken for
    // stray ones.
    if (facts.bridge_ready && !underlay_known_) {
        underlay_known_ = true;
        restore_learned();
        southbound_.start();
        log::info(kModule, "bridge " + config_.bridge + " is ready; programming starts");
    }
}

void Agent::take_vlan_uplinks() {
    std::map<std::string, policy::VlanUplink> uplinks;
    for (const underlay::VlanUplink& uplink : underlay_.facts().vlan_uplinks) {
        uplinks.emplace(uplink.uplink, policy::VlanUplink{uplink.ofport, uplink.problem});
    }
    model_.set_vlan_uplinks(std::move(uplinks));
}

void Agent::take_carried_addresses() {
    std::vector<policy::CarriedAddress> carried;
    for (const underlay::ProviderAddressState& state : underlay_.facts().provider_addresses) {
        if (state.present) {
            carried.push_back({state.address, state.mark, state.mtu});
        }
    }
    model_.set_carried_addresses(std::move(carried));
}

void Agent::realise() {
    southbound_.apply(model_.commit());
    tell_all_ = true;
}

}  // namespace hnv
