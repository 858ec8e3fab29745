// What the agent is asked by people, as JSON: the answers of its control socket's commands.
//
// Read-only: a report never changes what it tells of.
#pragma once

#include <json/value.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "audit/audit_log.h"
#include "demand/listener.h"
#include "demand/programmer.h"
#include "learning/listener.h"
#include "learning/mac_table.h"
#include "northbound/ownership.h"
#include "northbound/sequence.h"
#include "northbound/status_writer.h"
#include "ovs-integration/ovsdb_server.h"
#include "policy/faults.h"
#include "policy/model.h"
#include "responder/responder.h"
#include "southbound/southbound.h"
#include "underlay/underlay.h"
#include "underlay/zone_limits.h"

namespace hnv::admin {

// The parts of a running agent that reports look at. They outlive the reports.
struct Sources {
    const policy::Model& model;
    const policy::Faults& faults;
    const southbound::Southbound& southbound;
    const responder::Responder& responder;
    const audit::AuditLog& audit_log;
    const underlay::Underlay& underlay;
    const northbound::Sequences& sequences;
    const ovs::Databases& server;
    const std::vector<northbound::ProviderAddressStatus>& provider_addresses;
    // What the switch refused of objects that no row stands for.
    const std::map<policy::ObjectId, std::string>& refused;
    std::string name;
    std::string bridge;
    std::string ovs_run_dir;
    std::string version;
    std::chrono::steady_clock::time_point started;
    const underlay::ZoneLimits* zone_limits = nullptr;
    const learning::Listener* learning = nullptr;
    const learning::MacTable* macs = nullptr;
    const northbound::Ownership* ownership = nullptr;
    const demand::Listener* demands = nullptr;
    const demand::Programmer* programmer = nullptr;
};

class Reports {
  public:
    explicit Reports(Sources sources) : sources_(std::move(sources)) {}

    [[nodiscard]] Json::Value status() const;
    [[nodiscard]] Json::Value ports() const;
    [[nodiscard]] Json::Value mappings() const;
    [[nodiscard]] Json::Value provider_addresses() const;
    [[nodiscard]] Json::Value faults() const;
    // nat_report.cpp
    [[nodiscard]] Json::Value nat() const;

    // Host.status of hnv_host.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> host_status() const;

  private:
    [[nodiscard]] std::vector<std::string> problems() const;
    [[nodiscard]] Json::Value learning_status() const;
    [[nodiscard]] Json::Value demand_status() const;
    [[nodiscard]] Json::Value switch_status() const;
    [[nodiscard]] Json::Value policy_status() const;
    [[nodiscard]] Json::Value database_status() const;

    Sources sources_;
};

// The part of status() that counts what the agent answers itself: "arp", "nd", "icmp_errors",
// "dhcp", "dhcpv6", "router_advertisements" and "responder", each an object.
void add_responder(Json::Value& status, const responder::Counters& counters);

// The "server" of status(): what clients take, and what limits refused them.
void add_server(Json::Value& status, const ovs::ServerCounters& counters);

// The "audit_log" of status().
void add_audit_log(Json::Value& status, const audit::Counters& counters);

[[nodiscard]] std::string to_text(const Json::Value& value);

}  // namespace hnv::admin
