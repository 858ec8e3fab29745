// What DHCP, DHCPv6 and router advertisements tell a guest, for the responder.
//
// The second part of the policy that two threads see, besides NeighbourTable: the policy's thread
// writes it, the responder reads it. A guest asks seldom, so there is one lock; what was found is
// the reader's own and stays what it was.
//
// Invariant: an entry is here exactly while the port is active and the policy gives it an address
// in that VLAN. It is found by the port's name, not by its OpenFlow port number, which may be
// another port's by the time that a packet is looked at; the number and the VSID are in the entry,
// to be compared with the packet's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::policy {

// 64 bits of the name (FNV-1a): the same in every life of the agent, since flows carry it.
using PortKey = std::uint64_t;
[[nodiscard]] PortKey key_of_port(std::string_view name);

inline constexpr std::uint32_t kDefaultLeaseSeconds = 86'400;

// A port in one virtual subnet.
struct GuestConfig {
    std::uint16_t vlan = 0;  // 0: untagged.
    std::uint32_t ofport = 0;
    std::uint32_t vsid = 0;
    MacAddress mac;  // The guest's.
    MacAddress router_mac;
    // One address of each family at most, and one at least; with the length of its mask.
    std::optional<IpPrefix> v4{};
    std::optional<IpPrefix> v6{};
    IpAddress server{};                // DHCP's server identifier.
    std::vector<IpAddress> routers{};  // IPv4.
    std::vector<IpAddress> dns_v4{};
    std::vector<IpAddress> dns_v6{};
    std::string domain{};
    unsigned mtu = 0;  // 0: not known.
    std::uint32_t lease_seconds = kDefaultLeaseSeconds;
    bool advertised = false;      // The router advertises itself to it.
    bool default_router = false;  // With a route to everywhere.

    bool operator==(const GuestConfig&) const = default;
};

class LeaseTable {
  public:
    using Entry = std::shared_ptr<const GuestConfig>;

    // Any thread. Null: there is none.
    [[nodiscard]] Entry find(PortKey port, std::uint16_t vlan) const;
    // With its key, each that is advertised to.
    struct Advertised {
        PortKey port = 0;
        Entry config;
    };
    [[nodiscard]] std::vector<Advertised> advertised() const;
    // Another number than before: something has changed.
    [[nodiscard]] std::uint64_t generation() const {
        return generation_.load(std::memory_order_acquire);
    }

    // The policy's thread. All of the port's, by VLAN; none: the port has no entries.
    void set(PortKey port, std::vector<GuestConfig> configs);

  private:
    mutable std::shared_mutex mutex_;
    std::unordered_map<PortKey, std::vector<Entry>> ports_;
    std::atomic<std::uint64_t> generation_{0};
};

}  // namespace hnv::policy
