// The underlay as the host has it, as facts: the integration bridge and its tunnel ports, the
// guests' interfaces on it, the host's own addresses, the provider addresses.
//
// Facts flow out. Of the policy three things come in: which provider addresses there shall be,
// which uplinks' VLANs, and which BFD sessions; the addresses that the host does not carry are
// made, and patches to the uplinks (provider_addresses.h), and the sessions' ports (bfd_ports.h).
//
// Thread: one thread, the one whose poll loop calls run() and wait().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ovs-integration/host_addresses.h"
#include "ovs-integration/vswitch_db.h"
#include "policy/bfd.h"
#include "underlay/provider_address.h"
#include "underlay/provider_addresses.h"

namespace hnv::underlay {

struct Config {
    std::string ovs_db;  // Of the Open_vSwitch database, e.g. "unix:/run/openvswitch/db.sock".
    std::string bridge;  // The integration bridge's name.
    std::string datapath_type;  // "netdev", "system", "auto"; see ovs::BridgeConfig.
    std::string ovs_run_dir;    // Where the control socket of ovs-vswitchd is.
};

// Where the VLANs of an uplink are reached.
struct VlanUplink {
    std::string uplink;
    // On the integration bridge, of the patch port that leads there; 0: there is none yet.
    std::uint32_t ofport = 0;
    // Why there can be none, for a person; empty when all is well.
    std::string problem;

    bool operator==(const VlanUplink&) const = default;
};

struct Facts {
    bool switch_db_connected = false;
    // The bridge and both tunnel ports are there, with port numbers.
    bool bridge_ready = false;
    // OpenFlow port numbers of the flow-based tunnels; 0: none yet.
    std::uint32_t vxlan_ofport = 0;
    std::uint32_t nvgre_ofport = 0;
    // The guests' ports: interfaces of the bridge with an iface-id, by name. Two with the same
    // iface-id are both listed.
    std::vector<ovs::InterfaceFacts> interfaces;
    std::vector<ovs::HostAddress> addresses;
    // One for each address of set_provider_addresses(), in the same order.
    std::vector<ProviderAddressState> provider_addresses;
    // One for each of set_vlan_uplinks(), in the same order.
    std::vector<VlanUplink> vlan_uplinks;
    // One for each of set_bfd_sessions(), in the same order.
    std::vector<policy::BfdState> bfd_sessions;
    // What keeps the bridge from working, for a person; empty when all is well.
    std::string problem;

    bool operator==(const Facts&) const = default;
};

class Underlay {
  public:
    explicit Underlay(Config config);

    // All provider addresses of the policy. Until the first call none is made nor taken away.
    // facts() tells of them at once: those that are carried already serve the very change that
    // names them.
    void set_provider_addresses(std::vector<ProviderAddressConfig> addresses);

    // The uplinks, each a NIC or a bridge of the local Open vSwitch, whose VLANs the policy names;
    // unique, sorted. Nothing is made before set_provider_addresses() has been called as well.
    // Until the first call, what an agent before this one made stays.
    void set_vlan_uplinks(std::vector<std::string> uplinks);

    // All BFD sessions; no two have the same remote address. Until the first call, what an agent
    // before this one made stays.
    void set_bfd_sessions(std::vector<policy::BfdSession> sessions);

    // Returns true when facts() has changed.
    [[nodiscard]] bool run();
    void wait();

    // Of the integration bridge; empty while there is none.
    [[nodiscard]] std::string datapath_type() const { return vswitch_.datapath_type(); }

    // While the switch's database is out of reach, what was known of it stays.
    [[nodiscard]] const Facts& facts() const { return facts_; }

  private:
    [[nodiscard]] std::vector<VlanUplink> vlan_uplinks() const;
    void tell_bfd_sessions(Facts& facts);

    ovs::VswitchDb vswitch_;
    ovs::HostAddresses host_;
    ProviderAddresses provider_addresses_;
    std::optional<std::vector<policy::BfdSession>> bfd_sessions_;  // nullopt: not told yet.
    Facts facts_;
};

}  // namespace hnv::underlay
