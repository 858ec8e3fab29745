// Arp_Sources_Local of hardware_vtep: the MAC of the distributed router, at each of this host's
// provider addresses, while there is a logical router (vtep(5)). The router asks nobody by ARP over
// a tunnel; the table tells a controller with which MAC it speaks.
//
// Brought in line with the database as it stands: what a controller wrote there is put right.
#pragma once

#include <set>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/ovsdb_server.h"

namespace hnv::northbound {

class VtepArpSources {
  public:
    explicit VtepArpSources(ovs::Databases& server) : server_(server) {}

    // A row of the table, or one that a row refers to, has changed.
    void look_again() { due_ = true; }
    // `addresses`: the host's provider addresses; those of IPv4 count, as the schema knows no
    // others. None: there is no logical router.
    void write(const MacAddress& router, const std::vector<IpAddress>& addresses);

  private:
    ovs::Databases& server_;
    MacAddress router_;
    std::set<IpAddress> told_;
    bool due_ = true;
};

}  // namespace hnv::northbound
