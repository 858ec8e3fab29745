#include "northbound/acl_entry.h"

#include <charconv>
#include <string>

#include "ovs-integration/wire.h"

namespace hnv::northbound {

namespace {

using policy::AclEntrySpec;

// Below it is a length (IEEE 802.3).
constexpr std::uint32_t kLowestEtherType = 0x600;
// RFC 9293, with the three reserved bits and the data offset left out.
constexpr std::uint16_t kAllTcpFlags = 0xfff;

// Reads the columns one by one; the first that can't be read is the error.
class Entry {
  public:
    explicit Entry(const ovs::Row& row) : row_(row) {}

    [[nodiscard]] const std::string& error() const { return error_; }
    void fail(const std::string& error) {
        if (error_.empty()) {
            error_ = error;
        }
    }

    template <typename Number>
    std::optional<Number> number(const char* column, std::int64_t highest) {
        const auto value = row_.integer(column);
        if (!value) {
            return std::nullopt;
        }
        if (*value < 0 || *value > highest) {
            fail(std::string(column) + " is " + std::to_string(*value) + "; it is 0 to " +
                 std::to_string(highest));
        }
        return static_cast<Number>(*value);
    }

    std::optional<MacAddress> mac(const char* column) {
        const std::string_view text = row_.string(column);
        const auto mac = MacAddress::parse(text);
        if (!mac && !text.empty()) {
            fail(described(column, text) + " is not a MAC address");
        }
        return mac;
    }

    std::optional<IpAddress> address(const char* column) {
        const std::string_view text = row_.string(column);
        const auto address = IpAddress::parse(text);
        if (!address && !text.empty()) {
            fail(described(column, text) + " is not an IP address");
        }
        return address;
    }

    // Without a mask all of the address counts; bits of it beyond the mask do not.
    std::optional<policy::MaskedAddress> masked(const char* column, const char* mask_column) {
        const auto value = address(column);
        const auto mask = address(mask_column);
        if (!value || !mask) {
            if (mask) {
                fail(std::string(mask_column) + " is given without " + column);
            }
            return value ? std::optional(policy::MaskedAddress{*value, all_bits(*value)})
                         : std::nullopt;
        }
        if (value->is_v4() != mask->is_v4()) {
            fail(std::string(column) + " and " + mask_column + " are not of one family");
            return std::nullopt;
        }
        auto bytes = value->bytes();
        for (std::size_t i = value->is_v4() ? 12 : 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::uint8_t>(bytes[i] & mask->bytes()[i]);
        }
        return policy::MaskedAddress{IpAddress::from_v6(bytes), *mask};
    }

    std::optional<policy::PortRange> ports(const char* min_column, const char* max_column) {
        constexpr std::uint16_t kHighest = 0xffff;
        const auto first = number<std::uint16_t>(min_column, kHighest);
        const auto last = number<std::uint16_t>(max_column, kHighest);
        if (!first && !last) {
            return std::nullopt;
        }
        const policy::PortRange range{first.value_or(0), last.value_or(kHighest)};
        if (range.first > range.last) {
            fail(std::string(min_column) + " is above " + max_column);
        }
        return range;
    }

    std::optional<std::uint16_t> ethertype() {
        std::string_view text = row_.string("ethertype");
        if (text.empty()) {
            return std::nullopt;
        }
        std::uint32_t value = 0;
        const bool hex = text.starts_with("0x") || text.starts_with("0X");
        const std::string_view digits = hex ? text.substr(2) : text;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (!hex || error != std::errc() || end != digits.data() + digits.size() ||
            value < kLowestEtherType || value > 0xffff) {
            fail(described("ethertype", text) + " is not an EtherType like 0x0800");
        }
        return static_cast<std::uint16_t>(value);
    }

    std::optional<policy::TcpFlags> tcp_flags() {
        const auto value = number<std::uint16_t>("tcp_flags", kAllTcpFlags);
        const auto mask = number<std::uint16_t>("tcp_flags_mask", kAllTcpFlags);
        if (!value && mask) {
            fail("tcp_flags_mask is given without tcp_flags");
        }
        if (!value) {
            return std::nullopt;
        }
        const std::uint16_t bits = mask.value_or(kAllTcpFlags);
        return policy::TcpFlags{static_cast<std::uint16_t>(*value & bits), bits};
    }

  private:
    static std::string described(const char* column, std::string_view text) {
        return std::string(column) + " '" + std::string(text) + "'";
    }
    static IpAddress all_bits(const IpAddress& address) {
        std::array<std::uint8_t, 16> ones{};
        ones.fill(0xff);
        return address.is_v4() ? IpAddress::from_v4(0xffffffffU) : IpAddress::from_v6(ones);
    }

    const ovs::Row& row_;
    std::string error_;
};

// What can't be in one packet together.
[[nodiscard]] std::string contradiction(const AclEntrySpec& entry) {
    if (entry.source && entry.destination &&
        entry.source->address.is_v4() != entry.destination->address.is_v4()) {
        return "source_ip and dest_ip are not of one family";
    }
    const auto& address = entry.source ? entry.source : entry.destination;
    const bool ip_fields = address || entry.protocol || entry.source_ports ||
                           entry.destination_ports || entry.tcp_flags || entry.icmp_type ||
                           entry.icmp_code;
    if (entry.ethertype && ip_fields) {
        const bool v4 = *entry.ethertype == wire::kIpv4;
        if ((!v4 && *entry.ethertype != wire::kIpv6) ||
            (address && address->address.is_v4() != v4)) {
            return "ethertype does not go with the fields of IP";
        }
    }
    const bool icmp = entry.icmp_type || entry.icmp_code;
    const bool ports = entry.source_ports || entry.destination_ports;
    if (icmp && (ports || entry.tcp_flags)) {
        return "icmp_type and icmp_code do not go with ports and TCP flags";
    }
    if (!entry.protocol) {
        return "";
    }
    const std::uint8_t protocol = *entry.protocol;
    if (icmp && protocol != wire::kIcmp && protocol != wire::kIcmpv6) {
        return "icmp_type and icmp_code need protocol 1 or 58";
    }
    if (entry.tcp_flags && protocol != wire::kTcp) {
        return "tcp_flags need protocol 6";
    }
    if (ports && !wire::has_ports(protocol)) {
        return "ports need protocol 6, 17 or 132";
    }
    return "";
}

}  // namespace

Result<AclEntrySpec> parse_acl_entry(const ovs::Row& row) {
    Entry columns(row);
    AclEntrySpec entry;
    entry.sequence = row.integer("sequence").value_or(0);
    entry.direction = row.string("direction") == "ingress" ? policy::Direction::Outbound
                                                           : policy::Direction::Inbound;
    entry.action =
        row.string("action") == "permit" ? policy::RuleAction::Allow : policy::RuleAction::Block;
    entry.source_mac = columns.mac("source_mac");
    entry.destination_mac = columns.mac("dest_mac");
    entry.ethertype = columns.ethertype();
    entry.source = columns.masked("source_ip", "source_mask");
    entry.destination = columns.masked("dest_ip", "dest_mask");
    entry.protocol = columns.number<std::uint8_t>("protocol", 0xff);
    entry.source_ports = columns.ports("source_port_min", "source_port_max");
    entry.destination_ports = columns.ports("dest_port_min", "dest_port_max");
    entry.tcp_flags = columns.tcp_flags();
    entry.icmp_type = columns.number<std::uint8_t>("icmp_type", 0xff);
    entry.icmp_code = columns.number<std::uint8_t>("icmp_code", 0xff);
    columns.fail(contradiction(entry));
    if (!columns.error().empty()) {
        return Error("ACL_entry with sequence " + std::to_string(entry.sequence) + ": " +
                     columns.error());
    }
    return entry;
}

}  // namespace hnv::northbound
