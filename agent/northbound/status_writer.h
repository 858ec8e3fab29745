// What the agent has to tell: port states, local endpoints, provider addresses, the host's status
// (faults: fault_writer.h). Each is brought in line with the database as it stands, so that what a
// controller wrote into the agent's columns is put right, and nothing is written that is there
// already.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ovs-integration/databases.h"
#include "policy/model.h"

namespace hnv::northbound {

struct ProviderAddressStatus {
    Uuid row;
    IpAddress address;
    bool present = false;
    std::string interface;
    std::size_t ports = 0;
    bool made = false;       // By the agent.
    std::uint32_t mark = 0;  // Of its routing compartment; 0: none.
    unsigned mtu = 0;        // 0: unknown.
};

class StatusWriter {
  public:
    explicit StatusWriter(ovs::Databases& server) : server_(server) {}

    // Physical_Port.status of the ports given; a port without a row gets one.
    void write_ports(const std::vector<policy::PortStatus>& changed);
    // Ucast_Macs_Local: each active port's addresses, at the PA that it sends from.
    void write_endpoints(const policy::Model& model);
    // Physical_Switch.tunnel_ips and Provider_Address.status.
    void write_provider_addresses(const std::vector<ProviderAddressStatus>& addresses);
    // Host.status.
    void write_host(const std::vector<std::pair<std::string, std::string>>& status);

  private:
    ovs::Databases& server_;
};

}  // namespace hnv::northbound
