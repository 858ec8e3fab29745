#include "northbound/vtep_tunnels.h"

#include <algorithm>
#include <utility>

#include "northbound/bfd_params.h"
#include "northbound/own_rows.h"

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

namespace {

constexpr const char* kHardwareVtep = "hardware_vtep";
constexpr const char* kMsVtep = "ms_vtep";

[[nodiscard]] std::map<std::string, std::string> map_of(const ovs::Row& row, const char* column) {
    std::map<std::string, std::string> copy;
    for (const auto& [key, value] : row.string_map(column)) {
        copy.emplace(key, value);
    }
    return copy;
}

[[nodiscard]] Json::Value json(const std::map<std::string, std::string>& map) {
    return json_map({map.begin(), map.end()});
}

// Of the row that the agent makes for these ends: an agent that restarts knows its own again.
[[nodiscard]] Uuid own_tunnel(const Uuid& remote, const IpAddress& local) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const std::uint8_t byte : local.bytes()) {
        hash = (hash ^ byte) * 0x100000001b3ULL;
    }
    Uuid uuid = remote;
    uuid.parts[0] ^= static_cast<std::uint32_t>(hash >> 32);
    uuid.parts[2] = (uuid.parts[2] & 0xc0000000U) |
                    ((uuid.parts[2] ^ static_cast<std::uint32_t>(hash)) & 0x3fffffffU);
    uuid.parts[3] ^= 0x54756e6eU;
    return uuid;
}

}  // namespace

void VtepTunnels::on_row(std::string_view database, const ovs::RowChange& change) {
    if (database == kHardwareVtep && change.table == "Tunnel") {
        on_tunnel(change);
    } else if (database == kHardwareVtep && change.table == "Physical_Locator") {
        on_locator(change);
    } else if (database == kHardwareVtep && change.table == "Physical_Switch") {
        tunnels_due_ = true;
    } else if (database == kMsVtep && change.table == "Physical_Locator") {
        on_ms_locator(change);
    }
}

void VtepTunnels::on_tunnel(const ovs::RowChange& change) {
    statuses_due_ = true;
    if (!change.after) {
        tunnels_.erase(change.uuid);
        sessions_due_ = true;
        tunnels_due_ = true;
        return;
    }
    const ovs::Row& row = *change.after;
    Tunnel tunnel{row.reference("local").value_or(Uuid{}),
                  row.reference("remote").value_or(Uuid{}),
                  map_of(row, "bfd_params"),
                  map_of(row, "bfd_config_remote"),
                  map_of(row, "bfd_config_local"),
                  map_of(row, "bfd_status")};
    Tunnel& known = tunnels_[change.uuid];
    if (!known.same_wish(tunnel)) {
        sessions_due_ = true;
        tunnels_due_ = true;
    }
    known = std::move(tunnel);
}

void VtepTunnels::on_locator(const ovs::RowChange& change) {
    const auto address =
        change.after ? IpAddress::parse(change.after->string("dst_ip")) : std::nullopt;
    if (!address) {
        locators_.erase(change.uuid);
    } else {
        locators_.insert_or_assign(change.uuid, *address);
    }
    sessions_due_ = true;
    tunnels_due_ = true;
}

void VtepTunnels::on_ms_locator(const ovs::RowChange& change) {
    const auto address =
        change.after ? IpAddress::parse(change.after->string("dst_ip")) : std::nullopt;
    Probed probed;
    if (address) {
        probed = {*address, map_of(*change.after, "bfd"), map_of(*change.after, "bfd_status")};
    }
    if (!probed.params.empty() || !probed.status.empty()) {
        Probed& known = probed_[change.uuid];
        sessions_due_ |= known.remote != probed.remote || known.params != probed.params;
        statuses_due_ = true;
        known = std::move(probed);
    } else if (probed_.erase(change.uuid) != 0) {
        sessions_due_ = true;
    }
}

void VtepTunnels::on_replaced(std::string_view database) {
    if (database == kHardwareVtep) {
        tunnels_.clear();
        locators_.clear();
        tunnels_due_ = true;
    } else if (database == kMsVtep) {
        probed_.clear();
    }
    sessions_due_ = true;
}

std::optional<IpAddress> VtepTunnels::address_of(const Uuid& locator) const {
    const auto known = locators_.find(locator);
    return known == locators_.end() ? std::nullopt : std::optional(known->second);
}

void VtepTunnels::look_at_addresses() {
    std::set<IpAddress> own;
    model_.for_each_provider_address([&](const Uuid&, const policy::ProviderAddressSpec& spec) {
        own.insert(spec.address.address);
    });
    if (own != own_) {
        own_ = std::move(own);
        sessions_due_ = true;
        tunnels_due_ = true;
    }
}

// The lowest of the family: the end of tunnels that nobody has chosen one for.
std::optional<IpAddress> VtepTunnels::own_address(bool v4) const {
    const auto lowest = std::ranges::find(own_, v4, &IpAddress::is_v4);
    return lowest == own_.end() ? std::nullopt : std::optional(*lowest);
}

// --- sessions ------------------------------------------------------------------------------------

void VtepTunnels::refuse(const RowRef& row, FaultKey key, const std::string& problem) {
    faults_.set(row, key, problem);
    faulty_.insert(row);
    outcomes_[row] = {std::nullopt, problem};
}

void VtepTunnels::ask(const RowRef& row, const StringMap& params, const StringMap& config_remote,
                      policy::BfdSession session, std::vector<Asked>& all) {
    BfdSettings settings = bfd_settings(params, config_remote);
    if (!settings.problem.empty()) {
        faults_.set(row, FaultKey::BadSetting, settings.problem);
        faulty_.insert(row);
    }
    session.settings = std::move(settings.settings);
    all.push_back({row, session.remote, session.local, std::move(session)});
}

// The rows that ask for a session and could have one, a Tunnel before a locator of ms_vtep.
std::vector<VtepTunnels::Asked> VtepTunnels::asked() {
    std::vector<Asked> all;
    for (const auto& [uuid, tunnel] : tunnels_) {
        const RowRef row{SourceTable::VtepTunnel, uuid};
        const auto local = address_of(tunnel.local);
        const auto remote = address_of(tunnel.remote);
        if (!asks_for_bfd(tunnel.params)) {
            continue;
        }
        if (!local || !remote || !own_.contains(*local) || own_.contains(*remote)) {
            const auto text = [](const auto& end) { return end ? end->to_string() : "?"; };
            refuse(row, FaultKey::PaMissing,
                   "a Tunnel from " + text(local) + " to " + text(remote) +
                       " does not lead from a provider address of this host to another host's: "
                       "delete it, or add its local end to Provider_Address");
            continue;
        }
        ask(row, tunnel.params, tunnel.config_remote, {*remote, *local, {}}, all);
    }
    for (const auto& [uuid, probed] : probed_) {
        const RowRef row{SourceTable::MsVtepPhysicalLocator, uuid};
        const auto local = own_address(probed.remote.is_v4());
        if (!asks_for_bfd(probed.params)) {
            continue;
        }
        if (!local || own_.contains(probed.remote)) {
            refuse(row, FaultKey::PaMissing,
                   "there is no BFD to " + probed.remote.to_string() +
                       ": it is this host's own, or this host has no Provider_Address of its "
                       "version of IP");
            continue;
        }
        ask(row, probed.params, {}, {probed.remote, *local, {}}, all);
    }
    return all;
}

void VtepTunnels::plan() {
    for (const RowRef& row : std::exchange(faulty_, {})) {
        for (const FaultKey key :
             {FaultKey::PaMissing, FaultKey::BadSetting, FaultKey::TunnelLimit}) {
            faults_.set(row, key, std::nullopt);
        }
    }
    outcomes_.clear();
    std::set<IpAddress> before;
    for (const policy::BfdSession& session : sessions_) {
        before.insert(session.remote);
    }
    std::vector<Asked> all = asked();
    // Should there be too many, those that run go on.
    std::stable_partition(all.begin(), all.end(),
                          [&](const Asked& each) { return before.contains(each.remote); });
    std::map<IpAddress, policy::BfdSession> chosen;
    for (Asked& each : all) {
        if (!chosen.contains(each.remote) && chosen.size() >= policy::kMaxBfdSessions) {
            refuse(each.row, FaultKey::TunnelLimit,
                   "there is no room for BFD to " + each.remote.to_string() +
                       ": a host keeps no more than " + std::to_string(policy::kMaxBfdSessions) +
                       " sessions; disable it at others");
            continue;
        }
        outcomes_[each.row] = {each.remote, {}};
        chosen.emplace(each.remote, std::move(each.session));
    }
    sessions_.clear();
    for (auto& [remote, session] : chosen) {
        sessions_.push_back(std::move(session));
    }
}

const std::vector<policy::BfdSession>& VtepTunnels::sessions() {
    plan();
    sessions_due_ = false;
    statuses_due_ = true;
    return sessions_;
}

// --- what is written -----------------------------------------------------------------------------

std::optional<std::int64_t> VtepTunnels::next_write() const {
    return tunnels_due_ || statuses_due_ ? std::optional(next_write_) : std::nullopt;
}

void VtepTunnels::write(std::span<const policy::BfdState> states, bool tunnels_due,
                        std::int64_t now) {
    tunnels_due_ |= tunnels_due;
    if (!std::ranges::equal(states, told_)) {
        told_.assign(states.begin(), states.end());
        statuses_due_ = true;
    }
    if (now < next_write_ || (!tunnels_due_ && !statuses_due_)) {
        return;
    }
    next_write_ = now + kWriteMsec;
    if (std::exchange(tunnels_due_, false)) {
        write_tunnels();
    }
    if (std::exchange(statuses_due_, false)) {
        write_statuses(states);
    }
}

VtepTunnels::StringMap VtepTunnels::status_of(const RowRef& row, const StringMap& params,
                                              std::span<const policy::BfdState> states) const {
    const auto outcome = outcomes_.find(row);
    if (!asks_for_bfd(params) || outcome == outcomes_.end()) {
        return {};
    }
    if (!outcome->second.remote) {
        return {{"enabled", "false"}, {"info", outcome->second.problem}};
    }
    const auto state =
        std::ranges::lower_bound(states, *outcome->second.remote, {}, &policy::BfdState::remote);
    if (state == states.end() || state->remote != *outcome->second.remote) {
        return {};
    }
    return bfd_status(*state);
}

// A session's port that the switch can't make.
void VtepTunnels::report_ports(std::span<const policy::BfdState> states) {
    std::map<IpAddress, const std::string*> problems;
    for (const policy::BfdState& state : states) {
        if (state.ofport == 0 && !state.problem.empty()) {
            problems.emplace(state.remote, &state.problem);
        }
    }
    std::set<RowRef> before = std::exchange(rejected_, {});
    for (const auto& [row, outcome] : outcomes_) {
        const auto problem = outcome.remote ? problems.find(*outcome.remote) : problems.end();
        if (problem != problems.end()) {
            faults_.set(row, FaultKey::SwitchRejected, *problem->second);
            rejected_.insert(row);
            before.erase(row);
        }
    }
    for (const RowRef& row : before) {
        faults_.set(row, FaultKey::SwitchRejected, std::nullopt);
    }
}

void VtepTunnels::write_statuses(std::span<const policy::BfdState> states) {
    report_ports(states);
    const StringMap local{{"bfd_dst_ip", kBfdLocalAddress}, {"bfd_dst_mac", kBfdMac}};
    Operations hardware;
    for (const auto& [uuid, tunnel] : tunnels_) {
        const StringMap status = status_of({SourceTable::VtepTunnel, uuid}, tunnel.params, states);
        Json::Value values;
        if (tunnel.status != status) {
            values["bfd_status"] = json(status);
        }
        if (tunnel.config_local != local) {
            values["bfd_config_local"] = json(local);
        }
        if (!values.isNull()) {
            hardware.update("Tunnel", uuid, values);
        }
    }
    if (!hardware.empty()) {
        hardware.commit(server_, kHardwareVtep, "state of tunnels");
    }
    Operations ms;
    for (const auto& [uuid, probed] : probed_) {
        const StringMap status =
            status_of({SourceTable::MsVtepPhysicalLocator, uuid}, probed.params, states);
        if (probed.status != status) {
            Json::Value values;
            values["bfd_status"] = json(status);
            ms.update("Physical_Locator", uuid, values);
        }
    }
    if (!ms.empty()) {
        ms.commit(server_, kMsVtep, "state of tunnels");
    }
}

// Tunnels from this host, by their ends.
VtepTunnels::Pairs VtepTunnels::pairs() const {
    Pairs pairs;
    for (const auto& [uuid, tunnel] : tunnels_) {
        const auto local = address_of(tunnel.local);
        if (local && own_.contains(*local)) {
            pairs[{tunnel.remote, *local}].push_back(uuid);
        }
    }
    return pairs;
}

// Of the rows that the agent made, those that no longer serve: nothing is sent there any more, it
// is not from here, or the controller has one of its own for the same ends.
std::vector<Json::Value> VtepTunnels::surplus(const std::set<Uuid>& used,
                                              const Pairs& pairs) const {
    std::vector<Json::Value> rows;
    for (const auto& [uuid, tunnel] : tunnels_) {
        const auto local = address_of(tunnel.local);
        if (!local || uuid != own_tunnel(tunnel.remote, *local)) {
            continue;
        }
        const auto pair = pairs.find({tunnel.remote, *local});
        const bool doubled = pair != pairs.end() && pair->second.size() > 1 &&
                             tunnel.params.empty() && tunnel.config_remote.empty();
        if (!used.contains(tunnel.remote) || pair == pairs.end() || doubled) {
            rows.push_back(json_uuid(uuid));
        }
    }
    return rows;
}

void VtepTunnels::write_tunnels() {
    const auto physical_switch = first_row(server_, kHardwareVtep, "Physical_Switch");
    if (!physical_switch) {
        return;
    }
    std::set<Uuid> used;
    model_.for_each_vtep_locator([&](const Uuid& row, const policy::LocatorSpec& locator) {
        if (!own_.contains(locator.pa) && locators_.contains(row)) {
            used.insert(row);
        }
    });
    const Pairs known = pairs();
    Operations operations;
    if (const auto rows = surplus(used, known); !rows.empty()) {
        operations.remove_from_set("Physical_Switch", *physical_switch, "tunnels", rows);
    }
    const auto local = own_address(true);
    std::vector<Json::Value> made;
    Json::Value local_locator;
    for (const Uuid& remote : used) {
        const auto there = known.lower_bound({remote, IpAddress{}});
        if (!local || (there != known.end() && there->first.first == remote)) {
            continue;
        }
        if (local_locator.isNull()) {
            local_locator = locator_of(*local, operations);
        }
        Json::Value row;
        row["local"] = local_locator;
        row["remote"] = json_uuid(remote);
        const Uuid uuid = own_tunnel(remote, *local);
        operations.insert("Tunnel", row, uuid);
        made.push_back(json_uuid(uuid));
    }
    if (!made.empty()) {
        operations.add_to_set("Physical_Switch", *physical_switch, "tunnels", made);
    }
    if (!operations.empty()) {
        operations.commit(server_, kHardwareVtep, "tunnels");
    }
}

// The locator of this host's end; of several of that address, one that has no key of its own.
Json::Value VtepTunnels::locator_of(const IpAddress& local, Operations& operations) const {
    for (const auto& [uuid, address] : locators_) {
        if (address == local) {
            return json_uuid(uuid);
        }
    }
    Json::Value row;
    row["dst_ip"] = local.to_string();
    row["encapsulation_type"] = "vxlan_over_ipv4";
    return json_named_uuid(operations.insert("Physical_Locator", row));
}

}  // namespace hnv::northbound
