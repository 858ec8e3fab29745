// The underlay as the host has it, as facts: the integration bridge and its tunnel ports, the
// guests' interfaces on it, the host's own addresses.
//
// Facts flow out only; nothing of the policy comes in here. Which of the policy's provider
// addresses the host carries is a question to the facts (provider_address_states()).
//
// Thread: one thread, the one whose poll loop calls run() and wait().
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/host_addresses.h"
#include "ovs-integration/vswitch_db.h"

namespace hnv::underlay {

struct Config {
    std::string ovs_db;  // Of the Open_vSwitch database, e.g. "unix:/run/openvswitch/db.sock".
    std::string bridge;  // The integration bridge's name.
    std::string datapath_type;  // "netdev", "system", "auto"; see ovs::BridgeConfig.
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
    // What keeps the bridge from working, for a person; empty when all is well.
    std::string problem;

    bool operator==(const Facts&) const = default;
};

struct ProviderAddressState {
    IpAddress address;
    std::string interface;  // Of the host; empty when not present.
    // The host carries the address, on an interface that is up.
    bool present = false;
    unsigned mtu = 0;  // Of the interface; 0: not known.

    bool operator==(const ProviderAddressState&) const = default;
};

// One state for each wanted address, in the same order. An address that several interfaces carry
// is told of the first one that is up.
[[nodiscard]] std::vector<ProviderAddressState> provider_address_states(
    const Facts& facts, std::span<const IpAddress> wanted);

class Underlay {
  public:
    explicit Underlay(Config config);

    // Returns true when facts() has changed.
    [[nodiscard]] bool run();
    void wait();

    // While the switch's database is out of reach, what was known of it stays.
    [[nodiscard]] const Facts& facts() const { return facts_; }

  private:
    ovs::VswitchDb vswitch_;
    ovs::HostAddresses host_;
    Facts facts_;
};

}  // namespace hnv::underlay
