// Makes the policy's provider addresses on this host, and keeps them: the bridges and ports in Open
// vSwitch, the interfaces' addresses, a routing compartment for each, the gateways' MAC addresses.
// And the patches to the uplinks whose VLANs the policy names: of a NIC, there is one bridge for
// both.
//
// Each time something has changed, the plan is made anew (provider_plan.h) and what differs from it
// is done; so it makes no difference whether a row, the host or the switch changed, or the agent
// was away. What can't be heard of, the routes in the memory of ovs-vswitchd, is looked at every
// few seconds, and only while there is an address that needs them.
//
// Thread: one thread, the one whose poll loop calls run() and wait(). A switch that does not answer
// its control socket holds it up for a fraction of a second, and is then left alone for a while.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ovs-integration/host_addresses.h"
#include "ovs-integration/host_network.h"
#include "ovs-integration/uplink_ports.h"
#include "underlay/provider_address.h"
#include "underlay/provider_plan.h"
#include "underlay/switch_routes.h"

namespace hnv::underlay {

class ProviderAddresses {
  public:
    struct Config {
        std::string ovs_db;
        std::string ovs_run_dir;
        std::string bridge;  // The integration bridge.
    };

    explicit ProviderAddresses(Config config);

    // All rows; states() is of them at once. Until the first call nothing is made nor taken away.
    void set_wanted(std::vector<ProviderAddressConfig> rows, const ovs::HostAddresses& host);

    // The uplinks (a NIC, or a bridge of the local Open vSwitch) whose VLANs the integration bridge
    // is to reach, unique. Takes effect when set_wanted() has been called as well. Until the first
    // call, patches that an agent before this one made stay.
    void set_vlan_uplinks(std::vector<std::string> uplinks, const ovs::HostAddresses& host);

    // `datapath_type`: of the integration bridge, empty while there is none. Returns true when
    // states() or uplinks() has changed.
    [[nodiscard]] bool run(const ovs::HostAddresses& host, bool host_changed,
                           const std::string& datapath_type);
    void wait();

    // One for each row, in their order.
    [[nodiscard]] const std::vector<ProviderAddressState>& states() const { return states_; }
    // One for each of set_vlan_uplinks(), in their order; a problem is also one that the switch has
    // with its patch.
    [[nodiscard]] const std::vector<PlannedUplink>& uplinks() const { return uplink_states_; }

  private:
    // A gateway whose MAC address the switch has to know.
    struct Next {
        int index = 0;  // Of the interface that asks.
        MacAddress mac;
        IpAddress own;
        IpAddress gateway;
        std::string bridge;
        bool operator==(const Next&) const = default;
    };
    // An entry of a bridge's MAC table that must not age: see refresh_switch().
    struct Entry {
        std::string bridge;
        std::string port;
        std::uint16_t vlan = 0;
        MacAddress mac;
        auto operator<=>(const Entry&) const = default;
    };

    void replan(const ovs::HostAddresses& host);
    void prepare_uplinks(const ovs::HostAddresses& host);
    void give_back_uplinks();
    void configure_interfaces(const ovs::HostAddresses& host);
    [[nodiscard]] Status configure(const PlannedAddress& planned, const ovs::HostLink& link,
                                   const ovs::HostAddresses& host);
    [[nodiscard]] std::vector<IpAddress> awaited(const ovs::HostAddresses& host);
    void tell_states(const ovs::HostAddresses& host);
    void announce(const ProviderAddressState& before, const ProviderAddressState& now,
                  const ovs::HostAddresses& host) const;
    [[nodiscard]] ProviderAddressState state_of(const PlannedAddress& planned,
                                                const ovs::HostAddresses& host) const;
    [[nodiscard]] std::string problem_of_made(const PlannedAddress& planned,
                                              const ovs::HostLink* link) const;

    [[nodiscard]] std::vector<std::string> uplinks_to_plan() const;
    void tell_uplinks();
    [[nodiscard]] std::string problem_of_patch(const std::string& uplink) const;

    void plan_compartments(const ovs::HostAddresses& host);
    void refresh_kernel(const ovs::HostAddresses& host);
    void look_at_path_filter();
    void refresh_switch();
    [[nodiscard]] bool refresh_routes(const std::string& socket);
    [[nodiscard]] bool refresh_entries(const std::string& socket);
    [[nodiscard]] bool ask_for_gateways(const std::string& socket);

    Config config_;
    ovs::UplinkPorts ports_;
    ovs::HostNetwork network_;

    std::vector<ProviderAddressConfig> rows_;
    bool told_ = false;
    std::optional<std::vector<std::string>> uplinks_;  // nullopt: not told yet.
    bool due_ = true;                                  // The plan has to be made anew.
    std::string datapath_type_;
    Plan plan_;
    std::vector<ProviderAddressState> states_;
    std::vector<PlannedUplink> uplink_states_;
    std::map<std::string, std::string> failures_;     // By interface: what the host refused.
    std::set<std::pair<std::string, int>> prepared_;  // Devices whose sysctls have been set.
    // On interfaces of the host's own, and when such an address was missed for the first time.
    std::set<IpAddress> carried_by_host_;
    std::map<IpAddress, std::int64_t> missed_since_;
    std::int64_t look_again_ = 0;  // When the plan is made anew without a cause; 0: never.

    // What the switch shall have in its memory.
    std::vector<SwitchRoute> routes_;
    std::vector<Next> gateways_;
    std::set<Entry> entries_;
    std::set<Entry> stale_entries_;
    // On the kernel's datapath: installed, and on which device index.
    std::set<std::pair<SwitchRoute, int>> kernel_routes_;
    // The kernel's reverse path filter for all devices: with it, a device without a route to who
    // asks does not answer ARP, whatever its own setting.
    std::string path_filter_ = "0";
    bool clean_ = false;  // The switch has been seen without anything that should not be there.
    std::int64_t next_refresh_ = 0;  // now_msec()
    int failed_refreshes_ = 0;
    std::vector<std::pair<Next, int>> asked_;  // How often each gateway was asked for in vain.
    std::int64_t next_question_ = 0;
};

}  // namespace hnv::underlay
