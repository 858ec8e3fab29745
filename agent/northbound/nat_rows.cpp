#include "northbound/nat_rows.h"

#include <algorithm>

#include "northbound/rule_syntax.h"

namespace hnv::northbound {

namespace {

using policy::NatSpec;

[[nodiscard]] unsigned full_length(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

[[nodiscard]] std::string trim(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(' ');
    return begin == std::string::npos ? ""
                                      : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

// An address that one machine on a wire can have.
[[nodiscard]] bool is_of_one_host(const IpAddress& address) {
    if (address.is_v4()) {
        const std::uint32_t first = address.v4() >> 24;
        return first != 0 && first != 127 && first < 224;
    }
    return address != IpAddress{} && address != *IpAddress::parse("::1") &&
           address.bytes()[0] != 0xff && !IpPrefix::parse("fe80::/10")->contains(address);
}

// How far apart, the last above the first; more than NatSpec::kMaxAddresses if much.
[[nodiscard]] std::uint64_t distance(const IpAddress& first, const IpAddress& last) {
    std::uint64_t apart = 0;
    for (std::size_t i = 0; i < first.bytes().size(); ++i) {
        const std::uint64_t step = apart * 256 + last.bytes()[i] - first.bytes()[i];
        apart = std::min<std::uint64_t>(step, 1ULL << 40);
    }
    return apart;
}

[[nodiscard]] Status read_internal(const ovs::Row& row, NatSpec& spec) {
    for (const std::string_view text : row.strings("internal")) {
        const auto prefix = IpPrefix::parse(text);
        if (!prefix) {
            return Error("internal '" + std::string(text) +
                         "' is not an address or a prefix, like 10.1.1.11 or 10.1.1.0/24");
        }
        spec.internal.push_back({prefix->network(), prefix->length});
    }
    std::ranges::sort(spec.internal);
    spec.internal.erase(std::unique(spec.internal.begin(), spec.internal.end()),
                        spec.internal.end());
    if (spec.internal.empty()) {
        return Error("internal is empty: name the CAs, like 10.1.1.0/24");
    }
    return {};
}

[[nodiscard]] Status read_external(const ovs::Row& row, NatSpec& spec) {
    const std::string text(row.string("external"));
    const std::size_t dash = text.find('-');
    const auto first = IpAddress::parse(trim(text.substr(0, dash)));
    const auto last =
        dash == std::string::npos ? first : IpAddress::parse(trim(text.substr(dash + 1)));
    const std::string what = "external '" + text + "' ";
    if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) {
        return Error(what +
                     "is not an address or a range of them, like 203.0.113.1 or "
                     "203.0.113.1-203.0.113.9");
    }
    if (!is_of_one_host(*first) || !is_of_one_host(*last)) {
        return Error(what + "is no address that a host can have");
    }
    if (distance(*first, *last) >= NatSpec::kMaxAddresses) {
        return Error(what + "is more than " + std::to_string(NatSpec::kMaxAddresses) +
                     " addresses: use a smaller range");
    }
    spec.first = *first;
    spec.last = *last;
    policy::RuleSpec range;
    Status covered = parse_rule_lists({.sources = text}, range);
    spec.external = std::move(range.sources);
    return covered;
}

[[nodiscard]] Status read_ports(const ovs::Row& row, NatSpec& spec) {
    for (const std::string_view text : row.strings("ports")) {
        policy::RuleSpec range;
        if (!parse_rule_lists({.source_ports = text}, range) || range.source_ports.size() != 1 ||
            range.source_ports.front().first == 0) {
            return Error("ports '" + std::string(text) +
                         "' is not a range from 1 to 65535, like 1024-65535");
        }
        spec.ports = range.source_ports.front();
    }
    return {};
}

// What the columns say together.
[[nodiscard]] Status check(const NatSpec& spec) {
    for (const IpPrefix& prefix : spec.internal) {
        if (prefix.address.is_v4() != spec.first.is_v4()) {
            return Error("internal " + prefix.to_string() + " and external " +
                         spec.first.to_string() +
                         " are of different versions of IP: make a row for each version");
        }
    }
    if (!spec.is_static) {
        return {};
    }
    const IpPrefix& ca = spec.internal.front();
    if (spec.internal.size() != 1 || ca.length != full_length(ca.address)) {
        return Error("internal of a static row is one CA: use type dynamic for several");
    }
    if (spec.first != spec.last) {
        return Error("external of a static row is one address: use type dynamic for a range");
    }
    if (spec.ports) {
        return Error("ports goes with type dynamic alone: clear it");
    }
    return {};
}

}  // namespace

Result<NatSpec> parse_nat(const ovs::Row& row) {
    NatSpec spec;
    spec.name = row.string("name");
    spec.port = policy::normalize_port_name(row.string("port"));
    spec.is_static = row.string("type") == "static";
    for (const std::int64_t vlan : row.integers("vlan")) {
        spec.vlan = static_cast<std::uint16_t>(vlan);  // The schema has it in 1..4094.
    }
    for (const auto read : {read_internal, read_external, read_ports}) {
        if (Status status = read(row, spec); !status) {
            return Error("NAT row " + spec.name + ": " + status.error().message());
        }
    }
    if (Status status = check(spec); !status) {
        return Error("NAT row " + spec.name + ": " + status.error().message());
    }
    return spec;
}

}  // namespace hnv::northbound
