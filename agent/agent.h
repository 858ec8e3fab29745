// The agent: its parts, and which way things flow between them.
//
//   databases ─▶ readers ─▶ model ─▶ pipeline ─▶ southbound ─▶ switch
//       ▲                     ▲                      │
//       │                  underlay                  │ confirmed
//       └──── status, faults, cur_cfg ◀──────────────┘
//
// One turn of the loop takes what has come in through all of it. Beside it, in threads of their
// own: the OVSDB server, which hands over what was committed; the responder, the audit log and what
// hears of unknown MACs, which share only the tables that they look things up in, or the queue that
// they fill.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "admin/drop_counters.h"
#include "admin/reports.h"
#include "audit/audit_log.h"
#include "demand/listener.h"
#include "demand/programmer.h"
#include "learning/listener.h"
#include "learning/mac_table.h"
#include "northbound/fault_writer.h"
#include "northbound/ownership.h"
#include "northbound/reader.h"
#include "northbound/sequence.h"
#include "northbound/status_writer.h"
#include "northbound/vtep_arp_sources.h"
#include "northbound/vtep_fault_writer.h"
#include "northbound/vtep_local_macs.h"
#include "northbound/vtep_ports.h"
#include "northbound/vtep_tunnels.h"
#include "ovs-integration/openflow_connection.h"
#include "ovs-integration/ovsdb_server.h"
#include "ovs-integration/ovsdb_thread.h"
#include "ovs-integration/unixctl_server.h"
#include "pipeline/flow_set.h"
#include "policy/model.h"
#include "policy/peer_health.h"
#include "policy/port_names.h"
#include "responder/responder.h"
#include "southbound/binding_counters.h"
#include "southbound/southbound.h"
#include "underlay/underlay.h"
#include "underlay/zone_limits.h"

namespace hnv {

struct AgentConfig {
    std::string name;
    std::string version;
    std::string db_dir;
    std::string run_dir;
    std::string log_dir;
    std::string ovs_run_dir;
    std::string ovs_db;
    std::string bridge;
    std::string datapath_type;
    std::string unixctl;  // Path of the control socket.
    std::vector<std::string> remotes;
    ovs::TlsFiles tls;
};

class Agent final : private ovs::CommitListener {
  public:
    // Opens the databases and sockets. Nothing is changed in the switch yet.
    [[nodiscard]] static Result<std::unique_ptr<Agent>> create(AgentConfig config);
    ~Agent() override;

    // Runs until asked to exit.
    void run();

  private:
    explicit Agent(AgentConfig config);
    [[nodiscard]] Status open();
    void add_commands();
    [[nodiscard]] Result<std::string> compact(const std::optional<std::string>& database);

    void load();
    void on_row(std::string_view database, const ovs::RowChange& change) override;
    void on_commit(std::string_view database) override;
    void on_replaced(std::string_view database) override;

    void turn();
    void limit_connections();
    void want_provider_addresses();
    void take_host_settings();
    void take_underlay();
    void take_vlan_uplinks();
    void take_carried_addresses();
    void realise();
    // agent_learning.cpp
    void learn();
    void restore_learned();
    void tell_learned();
    // agent_demand.cpp
    void meet_demand();
    void resume_packets();
    [[nodiscard]] pipeline::FlowSet compile(const policy::ObjectId& object);
    void tell_shortfall(const policy::ObjectId& object, const std::string& shortfall);
    // agent_status.cpp
    void tell();
    void tell_ports();
    [[nodiscard]] bool take_storage();
    void take_provider_addresses();
    void tell_arp_sources();
    void take_verdicts();
    // agent_tunnels.cpp
    void want_bfd_sessions();
    void take_bfd_sessions();
    void watch_peers();
    void tell_tunnels();

    AgentConfig config_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    policy::Faults faults_;
    policy::NeighbourTable neighbours_;
    policy::PortNames port_names_;
    policy::Model model_;
    ovs::OvsdbServer server_;  // The thread's, once that runs.
    ovs::OvsdbThread databases_;
    northbound::Sequences sequences_;
    northbound::StatusWriter writer_;
    northbound::Ownership ownership_;
    northbound::VtepFaultWriter vtep_fault_writer_;
    northbound::VtepArpSources vtep_arp_sources_;
    northbound::VtepPorts vtep_ports_;
    northbound::FaultWriter fault_writer_;
    northbound::VtepTunnels tunnels_;
    policy::PeerHealth peer_health_;
    std::vector<std::unique_ptr<northbound::Reader>> readers_;
    underlay::Underlay underlay_;
    ovs::OpenFlowConnection connection_;
    southbound::Southbound southbound_;
    demand::Listener demands_;
    responder::Responder responder_;
    audit::AuditLog audit_log_;
    learning::Listener listener_;
    learning::MacTable macs_;
    demand::Programmer programmer_;
    northbound::VtepLocalMacs vtep_local_macs_;
    admin::DropCounters drops_;
    southbound::BindingCounters binding_counters_;
    underlay::ZoneLimits zone_limits_;
    std::uint64_t switch_generation_ = 0;  // Whose limits were looked at.
    std::unique_ptr<ovs::UnixctlServer> unixctl_;
    std::vector<northbound::ProviderAddressStatus> provider_addresses_;
    std::unique_ptr<admin::Reports> reports_;

    // Rows that are read last at the start.
    std::unordered_set<Uuid> late_;
    // Rows of a database that was replaced as a whole, until they are seen again.
    std::unordered_map<Uuid, policy::RowRef> unseen_;
    bool underlay_known_ = false;
    // MACs that were learned before a restart, while their ports may still come; until when.
    std::map<policy::LearnedKey, policy::LearnedStatus> remembered_;
    std::int64_t remembered_until_ = 0;
    std::map<policy::ObjectId, std::string> refused_;
    std::map<policy::ObjectId, policy::RowRef> shortfalls_;  // Rows that tell of one.
    // What tell() has to look at.
    bool own_rows_missing_ = false;
    bool endpoints_due_ = true;
    bool vtep_ports_due_ = true;
    std::map<IpAddress, std::size_t> ports_by_pa_;  // Active ports that send from each.
    bool tell_all_ = true;  // The agent's own rows may not be what they should be.
    bool status_due_ = true;
    bool writable_ = true;             // The databases took what they were told last.
    std::uint64_t failed_writes_ = 0;  // After which all was written again.
    std::int64_t next_status_ = 0;
    // What Host.status tells of the audit log and of clients, and when that is looked at again.
    audit::Counters audited_;
    ovs::ServerCounters served_;
    std::int64_t next_audited_ = 0;
    bool exiting_ = false;
};

}  // namespace hnv
