// The bridges and ports in the local Open vSwitch that carry provider addresses, and those that
// lead from the integration bridge to the VLANs of an uplink, as a client of its database.
//
// What the agent made is told by a mark in its external_ids, so that it is known again after a
// restart: `hnv-uplink` (the NIC) at a bridge, `hnv-provider-address` at a port,
// `hnv-vlan-uplink` (the uplink) at both ports of a patch. What has no mark is somebody else's: it
// is looked at, and never changed nor deleted.
//
// Its connection is not the integration bridge's (vswitch_db.h): a wish for an uplink that the
// database refuses must not keep the guests' bridge from being made.
//
// Thread: one thread, the one whose poll loop calls run() and wait().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::ovs {

// A bridge of the agent's own around one NIC.
struct OwnBridge {
    std::string name;
    std::string datapath_type;
    std::string nic;
    // Of the bridge's local port, for good: Open vSwitch would take the NIC's, and the kernel,
    // which hears the NIC as well, would then refuse what comes for the provider address.
    MacAddress hwaddr;

    bool operator==(const OwnBridge&) const = default;
};

// An internal port, and so an interface of the host, for one provider address.
struct OwnPort {
    std::string name;
    std::string bridge;
    std::optional<std::uint16_t> vlan;
    MacAddress mac;
    unsigned mtu = 0;     // 0: whatever Open vSwitch gives it.
    std::string address;  // Its mark's value.

    bool operator==(const OwnPort&) const = default;
};

// One end of a patch between two bridges: what leaves one end enters the other's bridge. A trunk of
// all VLANs.
struct OwnPatch {
    std::string name;
    std::string bridge;
    std::string peer;    // The other end's name.
    std::string uplink;  // Its mark's value.

    bool operator==(const OwnPatch&) const = default;
};

// A port as the database has it.
struct SwitchPort {
    std::string name;
    std::vector<std::string> interfaces;  // One, except for a bond.
    std::string type;                     // Of the first interface: "" (a NIC), "internal", ...
    bool own = false;                     // Marked by the agent, as any of the three kinds.
    bool realised = false;                // ovs-vswitchd has made it.
    std::string error;                    // Why ovs-vswitchd can't make it.
    std::string uplink{};                 // Its mark's value, if it is a patch of the agent's.

    bool operator==(const SwitchPort&) const = default;
};

struct SwitchBridge {
    std::string name;
    std::string datapath_type;  // Never empty.
    bool own = false;
    std::vector<SwitchPort> ports;  // By name.

    bool operator==(const SwitchBridge&) const = default;
};

class UplinkPorts {
  public:
    explicit UplinkPorts(const std::string& remote);
    ~UplinkPorts();
    UplinkPorts(const UplinkPorts&) = delete;
    UplinkPorts& operator=(const UplinkPorts&) = delete;

    // All bridges and ports of the agent's own that there shall be; marked ones that are not among
    // them go. Until the first call nothing is changed. A bridge stays while it has a port that is
    // not the agent's.
    void set_wanted(std::vector<OwnBridge> bridges, std::vector<OwnPort> ports,
                    std::vector<OwnPatch> patches);

    // Returns true when something that the functions below return has changed.
    [[nodiscard]] bool run();
    void wait();

    // The database has been read. While it is out of reach, what was known of it stays.
    [[nodiscard]] bool known() const;
    [[nodiscard]] const std::vector<SwitchBridge>& bridges() const;  // By name.
    // Why the database does not take what is wanted, for a person; empty when all is well.
    [[nodiscard]] std::string problem() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
