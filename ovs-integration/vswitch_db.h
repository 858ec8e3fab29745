// The local Open vSwitch's configuration database (database Open_vSwitch), as a client.
//
// Keeps the agent's integration bridge, its tunnel ports and its BFD ports as wished, and tells
// which interfaces there are. Nothing else in that database is touched.
//
// Thread: one thread, the one whose poll loop calls run() and wait().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/result.h"

namespace hnv::ovs {

// The bridge as the agent wants it: fail_mode secure, protocols OpenFlow 1.4 (plus 1.0/1.3/1.5 so
// that ovs-ofctl works without flags), in-band control off. A datapath type that an existing bridge
// already has is never changed.
struct BridgeConfig {
    std::string name;
    // For a bridge that is yet to be made: "netdev", "system", empty for Open vSwitch's default, or
    // "auto": "system" when ovs-vswitchd offers it, else "netdev"; waits until ovs-vswitchd has
    // said what it offers.
    std::string datapath_type;
};

struct TunnelPortConfig {
    std::string name;  // Of the port and its one interface, e.g. "vxlan-hnv".
    std::string type;  // Open vSwitch's interface type: "vxlan", "gre".
    std::vector<std::pair<std::string, std::string>> options;  // e.g. {"remote_ip","flow"}.
};

// A tunnel port with a BFD session of Open vSwitch's own (Interface.bfd, ovs-vswitchd.conf.db(5)).
struct BfdPortConfig {
    std::string name;  // Begins with kBfdPortPrefix.
    std::string type;
    // Both maps hold just this, whatever was there.
    std::vector<std::pair<std::string, std::string>> options;
    std::vector<std::pair<std::string, std::string>> bfd;

    bool operator==(const BfdPortConfig&) const = default;
};

// BFD ports of the integration bridge: those that the agent made and that have this in front of
// their name.
inline constexpr std::string_view kBfdPortPrefix = "hnvb-";

struct BfdPortsConfig {
    std::vector<BfdPortConfig> wanted;
    // Of ports that stay as they are if they are there; all others go.
    std::set<std::string> kept;

    bool operator==(const BfdPortsConfig&) const = default;
};

struct BfdPortFacts {
    std::uint32_t ofport = 0;                   // 0: there is none yet.
    std::map<std::string, std::string> status;  // Interface.bfd_status.
    std::string problem;                        // Why there can be none, for a person.

    bool operator==(const BfdPortFacts&) const = default;
};

// An interface of the integration bridge that the switch has realised.
struct InterfaceFacts {
    std::string name;
    std::uint32_t ofport = 0;  // OpenFlow port number, 1 .. 65279.
    std::string type;          // "" (a NIC), "internal", "vxlan", ...
    std::string iface_id;      // external_ids:iface-id; empty: not a guest's port.
    std::string attached_mac;  // external_ids:attached-mac, as written there.
    std::string vm_name;       // external_ids:vm-name.
    bool link_up = false;

    bool operator==(const InterfaceFacts&) const = default;
};

class VswitchDb {
  public:
    // `remote`: e.g. "unix:/run/openvswitch/db.sock". Connects, and reconnects, in run().
    VswitchDb(const std::string& remote, BridgeConfig bridge,
              std::vector<TunnelPortConfig> tunnel_ports);
    ~VswitchDb();
    VswitchDb(const VswitchDb&) = delete;
    VswitchDb& operator=(const VswitchDb&) = delete;

    // Until the first call BFD ports stay as they are.
    void set_bfd_ports(BfdPortsConfig ports);

    // Returns true when something that the functions below return has changed.
    [[nodiscard]] bool run();
    void wait();

    // While not connected, everything else stays as it was when the connection was lost.
    [[nodiscard]] bool connected() const;
    // The bridge exists, and ovs-vswitchd has made its ports or said that it can't (problem()).
    [[nodiscard]] bool bridge_ready() const;
    // Interfaces of the integration bridge with a valid ofport, by name.
    [[nodiscard]] const std::vector<InterfaceFacts>& interfaces() const;
    [[nodiscard]] std::optional<std::uint32_t> tunnel_ofport(std::string_view name) const;
    // By name.
    [[nodiscard]] const std::map<std::string, BfdPortFacts>& bfd_ports() const;
    // Of the bridge as it is; empty while there is none.
    [[nodiscard]] std::string datapath_type() const;
    // What keeps the bridge or its tunnel ports from working, for a person; empty when all is well.
    [[nodiscard]] std::string problem() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
