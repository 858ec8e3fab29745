// The host's own network, as far as the agent changes it: addresses, links, sysctls, and the rules
// and routes by which the kernel's datapath tells provider addresses apart (rtnetlink, RFC 3549;
// by libnl-route). All in the network namespace of the thread that calls.
//
// Every function does one thing, at once, and says so when it is there already by doing nothing.
// The kernel answers in microseconds; nothing here waits for anybody else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/result.h"

struct nl_sock;

namespace hnv::ovs {

// A device, as the kernel has it. `interface` below is the name of one.
struct HostLink {
    std::string name;
    int index = 0;
    MacAddress mac;
    unsigned mtu = 0;
    bool up = false;     // Administratively.
    std::string master;  // The bond or bridge of the kernel that it is a member of; empty: none.

    auto operator<=>(const HostLink&) const = default;
};

// A rule that sends packets to a routing table (ip-rule(8)): those with this mark and, if given,
// those from this source.
struct RoutingRule {
    std::uint32_t mark = 0;
    std::uint32_t table = 0;
    std::optional<IpAddress> source;

    auto operator<=>(const RoutingRule&) const = default;
};

class HostNetwork {
  public:
    HostNetwork();
    ~HostNetwork();
    HostNetwork(const HostNetwork&) = delete;
    HostNetwork& operator=(const HostNetwork&) = delete;

    // Every device, by name.
    [[nodiscard]] Result<std::vector<HostLink>> links();

    // Without a route to its prefix in the main table, and valid at once (no duplicate address
    // detection).
    [[nodiscard]] Status add_address(int index, const IpPrefix& address);
    [[nodiscard]] Status remove_address(int index, const IpPrefix& address);
    [[nodiscard]] Status set_up(int index);

    // Makes the rules whose table is in [first, last] these and no others.
    [[nodiscard]] Status set_rules(std::uint32_t first, std::uint32_t last,
                                   std::span<const RoutingRule> wanted);
    // Puts a route into a table. Without a gateway its destinations are neighbours.
    [[nodiscard]] Status put_route(std::uint32_t table, const IpPrefix& prefix, int index,
                                   const std::optional<IpAddress>& gateway,
                                   const IpAddress& source);

  private:
    struct Close {
        void operator()(nl_sock* socket) const;
    };
    [[nodiscard]] Status connected();

    std::unique_ptr<nl_sock, Close> socket_;  // Null: not connected yet.
};

// E.g. read_sysctl("net/ipv4/conf/eth1/arp_ignore"); nullopt when the kernel has no such key.
[[nodiscard]] std::optional<std::string> read_sysctl(const std::string& key);
// Does nothing when the value is there already, or the kernel has no such key.
[[nodiscard]] Status write_sysctl(const std::string& key, const std::string& value);

// Sends one Ethernet frame, as it is, from a device.
[[nodiscard]] Status send_frame(int index, std::span<const std::uint8_t> frame);

}  // namespace hnv::ovs
