// Access control lists of hardware_vtep (table ACL and ACL_entry of its schema, vtep(5)):
// stateless, each packet for itself, by fields of the Ethernet, IP and transport headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/specs.h"

namespace hnv::policy {

// The bits of `address` that are set in `mask` count; both of one family.
struct MaskedAddress {
    IpAddress address;
    IpAddress mask;
    bool operator==(const MaskedAddress&) const = default;
};

struct TcpFlags {
    std::uint16_t value = 0;
    std::uint16_t mask = 0;
    bool operator==(const TcpFlags&) const = default;
};

// ACL_entry. What is not set is not looked at. Valid by parse_acl_entry() of northbound/: the
// fields that are set can be in one packet together.
struct AclEntrySpec {
    std::int64_t sequence = 0;  // Lower ones are matched first.
    // Outbound: "ingress", from the guest into the logical switch. Inbound: "egress".
    Direction direction{};
    RuleAction action{};  // Allow: "permit". Block: "deny".
    std::optional<MacAddress> source_mac{};
    std::optional<MacAddress> destination_mac{};
    std::optional<std::uint16_t> ethertype{};
    std::optional<MaskedAddress> source{};
    std::optional<MaskedAddress> destination{};
    std::optional<std::uint8_t> protocol{};
    std::optional<PortRange> source_ports{};
    std::optional<PortRange> destination_ports{};
    std::optional<TcpFlags> tcp_flags{};
    std::optional<std::uint8_t> icmp_type{};
    std::optional<std::uint8_t> icmp_code{};

    bool operator==(const AclEntrySpec&) const = default;
};

// Of an ACL, those behind have no effect.
inline constexpr std::size_t kMaxAclEntries = 64'000;

// ACL.
struct AclSpec {
    std::string name;
    std::vector<Uuid> entries;
    bool operator==(const AclSpec&) const = default;
};

}  // namespace hnv::policy
