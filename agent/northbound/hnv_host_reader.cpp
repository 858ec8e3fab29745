#include "northbound/hnv_host_reader.h"

#include <algorithm>
#include <charconv>

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

}  // namespace

void HnvHostReader::on_row(const ovs::RowChange& change) {
    if (change.table == "Provider_Address") {
        provider_address(change);
    } else if (change.table == "Port_Settings") {
        port_settings(change);
    } else if (change.table == "Host") {
        sequence(database(), "Host", change);
    }
}

void HnvHostReader::provider_address(const ovs::RowChange& change) {
    const RowRef row{SourceTable::HostProviderAddress, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    const std::string_view text = change.after->string("address");
    const auto prefix = IpPrefix::parse(text);
    if (!prefix) {
        return refuse(row, FaultKey::BadAddress,
                      "address '" + std::string(text) +
                          "' of a Provider_Address is not an address with its prefix length, like "
                          "192.168.1.10/24");
    }
    accept(row, FaultKey::BadAddress,
           policy::ProviderAddressSpec{*prefix, std::string(change.after->string("uplink"))});
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
    spec.arp_limit_pps = arp_limit(*change.after);
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
