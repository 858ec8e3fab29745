#include "northbound/hnv_host_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "northbound/nat_rows.h"

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

namespace {

// A meter's rate must be positive; the switch counts it in 32 bits.
constexpr std::uint32_t kMinArpLimit = 1;

[[nodiscard]] std::optional<std::uint32_t> arp_limit(const ovs::Row& row) {
    for (const auto& [key, value] : row.string_map("other_config")) {
        std::uint32_t limit = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
        if (key == "arp_limit_pps" && error == std::errc() && end == value.data() + value.size()) {
            return std::max(limit, kMinArpLimit);
        }
    }
    return std::nullopt;
}

// What the audit log takes without falling behind.
constexpr std::uint32_t kMaxAuditPps = 100'000;

// A number of Host.settings, brought into its bounds; nullopt: there is none.
template <typename Number>
[[nodiscard]] std::optional<Number> setting(const ovs::Row& row, std::string_view name,
                                            Number lowest, Number highest) {
    for (const auto& [key, value] : row.string_map("settings")) {
        std::uint64_t number = 0;
        const auto [end, error] =
            std::from_chars(value.data(), value.data() + value.size(), number);
        if (key == name && error == std::errc() && end == value.data() + value.size()) {
            return static_cast<Number>(std::clamp<std::uint64_t>(number, lowest, highest));
        }
    }
    return std::nullopt;
}

void server_settings(const ovs::Row& row, policy::HostSettingsSpec& spec) {
    spec.server_max_clients =
        setting(row, "server_max_clients", std::uint32_t{1}, policy::kMaxServerClients);
    spec.server_max_message_bytes =
        setting(row, "server_max_message_bytes", policy::kMinServerMessageBytes,
                policy::kMaxServerMessageBytes);
    const auto of_client = [&row](std::string_view name) {
        return setting(row, name, std::uint32_t{1}, policy::kMaxOfServerClient);
    };
    spec.server_max_monitors = of_client("server_max_monitors");
    spec.server_max_waits = of_client("server_max_waits");
    spec.server_max_locks = of_client("server_max_locks");
    spec.server_max_backlog_bytes =
        setting(row, "server_max_backlog_bytes", policy::kMinServerBacklogBytes,
                policy::kMaxServerMessageBytes);
}
// Shorter and guests would ask all the time; longer is "infinite" (RFC 2131 section 3.3).
constexpr std::uint32_t kMinLeaseSeconds = 60;
constexpr std::uint32_t kMaxLeaseSeconds = 0xfffffffeU;

// A number of other_config; 0 is one: such a port learns nothing.
[[nodiscard]] std::optional<std::uint32_t> macs_limit(const ovs::Row& row) {
    for (const auto& [key, value] : row.string_map("other_config")) {
        std::uint32_t limit = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
        if (key == "learned_macs_limit" && error == std::errc() &&
            end == value.data() + value.size()) {
            return std::min(limit, policy::kMaxLearnedMacs);
        }
    }
    return std::nullopt;
}

[[nodiscard]] std::optional<std::uint32_t> lease_seconds(const ovs::Row& row) {
    for (const auto& [key, value] : row.string_map("other_config")) {
        std::uint32_t seconds = 0;
        const auto [end, error] =
            std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (key == "dhcp_lease_seconds" && error == std::errc() &&
            end == value.data() + value.size()) {
            return std::clamp(seconds, kMinLeaseSeconds, kMaxLeaseSeconds);
        }
    }
    return std::nullopt;
}
// The switch counts packets, connections and kbit/s in 32 bits.
constexpr std::int64_t kMaxCount = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMaxMbps = kMaxCount / 1000;

// The limits of a Port_Settings row. One that is too high has no effect, and a sentence in
// `problem`; the schema has them at 0 or more.
class Limits {
  public:
    Limits(const ovs::Row& row, std::string_view port) : row_(row), port_(port) {}

    [[nodiscard]] std::uint32_t read(const char* column, std::int64_t highest) {
        std::uint32_t limit = 0;
        for (const std::int64_t value : row_.integers(column)) {
            if (value < 0 || value > highest) {
                problem_ += (problem_.empty() ? "" : "; ") + std::string(column) + " " +
                            std::to_string(value) + " of Port_Settings " + std::string(port_) +
                            " is not in 0 to " + std::to_string(highest) +
                            "; the port is not limited";
                continue;
            }
            limit = static_cast<std::uint32_t>(value);
        }
        return limit;
    }

    [[nodiscard]] std::optional<std::string> problem() const {
        return problem_.empty() ? std::nullopt : std::optional(problem_);
    }

  private:
    const ovs::Row& row_;
    std::string_view port_;
    std::string problem_;
};

[[nodiscard]] unsigned full_length(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

// Without a prefix length the address can still be one that the host carries.
[[nodiscard]] Result<policy::ProviderAddressSpec> parse_provider_address(const ovs::Row& row) {
    const std::string text(row.string("address"));
    const auto prefix = IpPrefix::parse(text);
    if (!prefix) {
        return Error("address '" + text +
                     "' of a Provider_Address is not an address with its prefix length, like "
                     "192.168.1.10/24");
    }
    policy::ProviderAddressSpec spec{*prefix, std::string(row.string("uplink"))};
    for (const std::string_view gateway : row.strings("gateway")) {
        const auto address = IpAddress::parse(gateway);
        const std::string what = "gateway '" + std::string(gateway) + "' of " + text;
        if (!address) {
            return Error(what + " is not an address, like 192.168.1.1");
        }
        if (address->is_v4() != prefix->address.is_v4() ||
            (prefix->length != full_length(prefix->address) && !prefix->contains(*address))) {
            return Error(what + " is not a neighbour: name an address of that prefix");
        }
        if (*address == prefix->address) {
            return Error(what + " is the address itself: name that of a router");
        }
        spec.gateway = address;
    }
    for (const std::int64_t vlan : row.integers("vlan")) {
        spec.vlan = static_cast<std::uint16_t>(vlan);  // The schema has it in 1..4094.
    }
    for (const std::string_view mac : row.strings("mac")) {
        spec.mac = MacAddress::parse(mac);
        if (!spec.mac || spec.mac->is_multicast() || *spec.mac == MacAddress{}) {
            return Error("mac '" + std::string(mac) + "' of " + text +
                         " is not the MAC address of an interface, like 02:00:00:00:01:0a");
        }
    }
    return spec;
}

}  // namespace

void HnvHostReader::on_row(const ovs::RowChange& change) {
    if (change.table == "Provider_Address") {
        provider_address(change);
    } else if (change.table == "Port_Settings") {
        port_settings(change);
    } else if (change.table == "NAT") {
        nat(change);
    } else if (change.table == "Host") {
        settings(change);
        sequence(database(), "Host", change);
    }
}

void HnvHostReader::settings(const ovs::RowChange& change) {
    policy::HostSettingsSpec spec;
    if (change.after) {
        const ovs::Row& row = *change.after;
        spec.audit_limit_pps = setting(row, "audit_limit_pps", std::uint32_t{1}, kMaxAuditPps);
        spec.audit_log_max_bytes = setting(row, "audit_log_max_bytes", policy::kMinAuditLogBytes,
                                           policy::kMaxAuditLogBytes);
        spec.audit_log_files =
            setting(row, "audit_log_files", policy::kMinAuditLogFiles, policy::kMaxAuditLogFiles);
        server_settings(row, spec);
        spec.mac_aging_seconds = setting(row, "mac_aging_seconds", policy::kMinMacAgingSeconds,
                                         policy::kMaxMacAgingSeconds);
        spec.learned_macs_limit =
            setting(row, "learned_macs_limit", std::uint32_t{0}, policy::kMaxLearnedMacs);
        spec.stats_interval_seconds = setting(row, "stats_interval_seconds", std::uint32_t{0},
                                              policy::kMaxStatsIntervalSeconds);
        spec.on_demand_mappings = setting(row, "on_demand_mappings", policy::kMinOnDemandMappings,
                                          policy::kMaxOnDemandMappings);
        spec.on_demand_idle_seconds =
            setting(row, "on_demand_idle_seconds", policy::kMinOnDemandIdleSeconds,
                    policy::kMaxOnDemandIdleSeconds);
        for (const auto& [key, value] : row.string_map("settings")) {
            spec.vtep_list_ports |= key == "vtep_list_ports" && value == "true";
            if (key == "programming") {
                spec.programming = programming_named(value).value_or(policy::Programming::Auto);
            }
        }
    }
    model_.set_host_settings(spec);
}

void HnvHostReader::provider_address(const ovs::RowChange& change) {
    const RowRef row{SourceTable::HostProviderAddress, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    Result<policy::ProviderAddressSpec> spec = parse_provider_address(*change.after);
    if (!spec) {
        return refuse(row, FaultKey::BadAddress, spec.error().message());
    }
    accept(row, FaultKey::BadAddress, *std::move(spec));
}

void HnvHostReader::nat(const ovs::RowChange& change) {
    const RowRef row{SourceTable::HostNat, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    Result<policy::NatSpec> spec = parse_nat(*change.after);
    if (!spec) {
        return refuse(row, FaultKey::BadAddress, spec.error().message());
    }
    accept(row, FaultKey::BadAddress, *std::move(spec));
}

void HnvHostReader::port_settings(const ovs::RowChange& change) {
    const RowRef row{SourceTable::HostPortSettings, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    policy::PortSettingsSpec spec;
    spec.name = policy::normalize_port_name(change.after->string("name"));
    spec.mac_spoofing_allowed = change.after->boolean("mac_spoofing_allowed");
    spec.ip_forwarding_allowed = change.after->boolean("ip_forwarding_allowed");
    spec.dhcp_guard = change.after->boolean("dhcp_guard");
    spec.router_guard = change.after->boolean("router_guard");
    Limits limits(*change.after, spec.name);
    spec.storm_limit_pps = limits.read("storm_limit_pps", kMaxCount);
    spec.flow_limit = limits.read("flow_limit", kMaxCount);
    spec.outbound_max_mbps = limits.read("outbound_max_mbps", kMaxMbps);
    spec.inbound_max_mbps = limits.read("inbound_max_mbps", kMaxMbps);
    faults_.set(row, FaultKey::BadSetting, limits.problem());
    spec.arp_limit_pps = arp_limit(*change.after);
    spec.dhcp_lease_seconds = lease_seconds(*change.after);
    spec.learned_macs_limit = macs_limit(*change.after);
    const auto texts = change.after->strings("provider_address");
    if (!texts.empty()) {
        spec.provider_address = IpAddress::parse(texts.front());
        faults_.set(row, FaultKey::BadAddress,
                    spec.provider_address
                        ? std::nullopt
                        : std::optional("provider_address '" + std::string(texts.front()) +
                                        "' of Port_Settings " + spec.name +
                                        " is not an IP address; it has no effect"));
    } else {
        faults_.set(row, FaultKey::BadAddress, std::nullopt);
    }
    model_.put(row.uuid, std::move(spec));
}

}  // namespace hnv::northbound
