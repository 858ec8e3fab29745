// The devices and IP addresses of this host, in the network namespace of the thread that made the
// object.
//
// The kernel says that something about links or addresses has changed (rtnetlink notifications,
// RFC 3549 section 2.3.3); what it has become is then read anew as a whole. So a notification that
// was lost to an overrun costs nothing but a reading.
//
// Thread: one thread, the one whose poll loop calls run() and wait().
#pragma once

#include <string>
#include <vector>

#include "ovs-integration/address.h"
#include "ovs-integration/host_network.h"

namespace hnv::ovs {

struct HostAddress {
    std::string interface;  // The device's name, without an alias label.
    IpAddress address;
    unsigned prefix_length = 0;  // 0..32 or 0..128.
    bool up = false;             // The device is up and has a carrier.

    auto operator<=>(const HostAddress&) const = default;
};

class HostAddresses {
  public:
    HostAddresses();
    ~HostAddresses();
    HostAddresses(const HostAddresses&) = delete;
    HostAddresses& operator=(const HostAddresses&) = delete;

    // Returns true when addresses() or links() has changed. The first call reads both. Without a
    // netlink socket (out of descriptors, say) each call reads them, and tries to get one again.
    [[nodiscard]] bool run();
    void wait();

    // Sorted by interface, then address. Loopback and link-local addresses included.
    [[nodiscard]] const std::vector<HostAddress>& addresses() const { return addresses_; }
    // By name.
    [[nodiscard]] const std::vector<HostLink>& links() const { return links_; }

  private:
    void subscribe();
    // Empties the socket; true when anything was heard, an overrun included.
    bool drain();
    // Returns true when addresses or links have changed; a failed reading leaves them as they were
    // and is tried again at the next run().
    bool read();

    int fd_ = -1;  // -1: not subscribed.
    bool stale_ = true;
    std::vector<HostAddress> addresses_;
    std::vector<HostLink> links_;
    HostNetwork network_;
};

}  // namespace hnv::ovs
