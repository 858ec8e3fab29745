#include "northbound/ms_darv_reader.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace hnv::northbound {

using policy::FaultKey;
using policy::RowRef;
using policy::SourceTable;

namespace {

// RFC 1035 section 2.3.4, as text.
constexpr std::size_t kMaxDomain = 253;
constexpr std::size_t kMaxLabel = 63;

[[nodiscard]] std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

// A dotted quad without holes, or a number.
[[nodiscard]] std::optional<unsigned> prefix_length(std::string_view mask, bool v4) {
    unsigned length = 0;
    const auto [end, error] = std::from_chars(mask.data(), mask.data() + mask.size(), length);
    if (error == std::errc() && end == mask.data() + mask.size()) {
        return length <= (v4 ? 32U : 128U) ? std::optional(length) : std::nullopt;
    }
    const auto quad = IpAddress::parse(mask);
    if (!v4 || !quad || !quad->is_v4()) {
        return std::nullopt;
    }
    const auto ones = static_cast<unsigned>(std::countl_one(quad->v4()));
    return static_cast<unsigned>(std::popcount(quad->v4())) == ones ? std::optional(ones)
                                                                    : std::nullopt;
}

[[nodiscard]] bool is_one_hosts(const IpAddress& address) {
    if (address.is_v4()) {
        const std::uint32_t first = address.v4() >> 24;
        return first != 0 && first != 127 && first < 224;
    }
    constexpr std::uint8_t kLoopback = 1;
    const auto& bytes = address.bytes();
    const bool high_zero =
        std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
    return bytes[0] != 0xff && !(high_zero && bytes.back() <= kLoopback);
}

[[nodiscard]] bool is_domain(std::string_view text) {
    std::size_t label = 0;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (c == '.' ? label == 0 : !letter || label == kMaxLabel) {
            return false;
        }
        label = c == '.' ? 0 : label + 1;
    }
    return label > 0 && text.size() <= kMaxDomain;
}

// The items that are addresses; one that is not is told in `problem`.
[[nodiscard]] std::vector<IpAddress> addresses(const ovs::Row& row, const char* column,
                                               std::optional<std::string>& problem) {
    std::vector<IpAddress> found;
    for (const std::string_view text : row.strings(column)) {
        const auto address = IpAddress::parse(text);
        if (address && is_one_hosts(*address)) {
            found.push_back(*address);
        } else {
            problem = std::string(column) + " of " + std::string(row.string("address")) + " has " +
                      quoted(text) + ", which is not an address of a host; it is left out";
        }
    }
    return found;
}

}  // namespace

void MsDarvReader::on_row(const ovs::RowChange& change) {
    if (change.table == "Ports") {
        adapter(change);
    } else if (change.table == "IP_Addresses") {
        address(change);
    } else if (change.table == "Global") {
        sequence(database(), "Global", change);
    }
}

void MsDarvReader::adapter(const ovs::RowChange& change) {
    const RowRef row{SourceTable::MsDarvPorts, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    const ovs::Row& from = *change.after;
    policy::AdapterSpec spec;
    spec.name = policy::normalize_port_name(from.string("name"));
    const std::string_view mac = from.string("mac_address");
    spec.mac = MacAddress::parse(mac);
    if (!mac.empty() && (!spec.mac || spec.mac->is_multicast() || *spec.mac == MacAddress{})) {
        return refuse(row, FaultKey::BadAddress,
                      "mac_address " + quoted(mac) + " of port " + spec.name +
                          " is not a unicast MAC like 00:15:5d:01:02:03");
    }
    spec.ip_forwarding_allowed = from.boolean("enable_ip_forwarding");
    spec.addresses = from.references("ip_addresses");
    accept(row, FaultKey::BadAddress, std::move(spec));
}

void MsDarvReader::address(const ovs::RowChange& change) {
    const RowRef row{SourceTable::MsDarvAddresses, change.uuid};
    if (!change.after) {
        return forget(row);
    }
    const ovs::Row& from = *change.after;
    const std::string_view text = from.string("address");
    const auto ip = IpAddress::parse(text);
    if (!ip || !is_one_hosts(*ip)) {
        return refuse(row, FaultKey::BadAddress,
                      "address " + quoted(text) + " of IP_Addresses is not an address of a host");
    }
    const std::string_view mask = from.string("mask");
    const auto length = prefix_length(mask, ip->is_v4());
    if (!length) {
        return refuse(row, FaultKey::BadAddress,
                      "mask " + quoted(mask) + " of " + ip->to_string() +
                          (ip->is_v4() ? " is not a mask like 255.255.255.0 or 24"
                                       : " is not a prefix length like 64"));
    }
    std::optional<std::string> problem;
    policy::AdapterAddressSpec spec{{*ip, *length}, from.boolean("is_primary")};
    spec.routers = addresses(from, "routers", problem);
    spec.dns_servers = addresses(from, "dns_servers", problem);
    const std::string_view domain = from.string("dns_suffix");
    if (domain.empty() || is_domain(domain)) {
        spec.domain = domain;
    } else {
        problem = "dns_suffix " + quoted(domain) + " of " + ip->to_string() +
                  " is not a domain name; it is left out";
    }
    model_.put(row.uuid, std::move(spec));
    faults_.set(row, FaultKey::BadAddress, problem);
}

}  // namespace hnv::northbound
