#include "underlay/provider_plan.h"

#include <algorithm>
#include <set>
#include <utility>

namespace hnv::underlay {
namespace {

// arp_ignore (Linux, ip-sysctl): 1, answer only for addresses of the device itself; 8, for none.
constexpr int kAnswerForOwn = 1;
constexpr int kNeverAnswer = 8;

unsigned full_length(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

bool is_link_local(const IpAddress& address) {
    return !address.is_v4() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0) == 0x80;
}

template <typename Range>
auto* find_named(const Range& range, std::string_view name) {
    const auto found = std::ranges::find_if(range, [&](const auto& e) { return e.name == name; });
    return found == range.end() ? nullptr : &*found;
}

// The port that the interface belongs to, if it is one of this bridge's.
const ovs::SwitchPort* port_of(const ovs::SwitchBridge& bridge, std::string_view interface) {
    for (const ovs::SwitchPort& port : bridge.ports) {
        if (std::ranges::find(port.interfaces, interface) != port.interfaces.end()) {
            return &port;
        }
    }
    return nullptr;
}

class Planner {
  public:
    Planner(std::span<const ProviderAddressConfig> rows, const Surroundings& around)
        : rows_(rows), around_(around), marks_(marks_of(rows)) {}

    Plan run(std::span<const std::string> uplinks) {
        for (const ProviderAddressConfig& row : rows_) {
            PlannedAddress planned;
            planned.config = row;
            planned.neighbours = {row.address.network(), row.address.length};
            if (const ovs::HostAddress* own = carried_by_host(row.address.address)) {
                adopt(*own, planned);
            } else {
                make(planned);
            }
            plan_.addresses.push_back(std::move(planned));
        }
        for (const std::string& uplink : uplinks) {
            plan_.uplinks.push_back({uplink, "", ""});
            if (!around_.datapath_type.empty()) {
                lead_to(plan_.uplinks.back());
            }
        }
        return std::move(plan_);
    }

  private:
    // On an interface that is not the agent's work; rather on one that is up.
    [[nodiscard]] const ovs::HostAddress* carried_by_host(const IpAddress& address) const {
        const ovs::HostAddress* found = nullptr;
        for (const ovs::HostAddress& own : around_.addresses) {
            if (own.address == address && !is_interface_name(own.interface) &&
                (found == nullptr || (own.up && !found->up))) {
                found = &own;
            }
        }
        return found;
    }

    void adopt(const ovs::HostAddress& own, PlannedAddress& planned) {
        planned.means = Means::Adopted;
        planned.interface = own.interface;
        const IpPrefix carried{own.address, own.prefix_length};
        planned.neighbours = {carried.network(), carried.length};
        const bool several = std::ranges::any_of(rows_, [&](const ProviderAddressConfig& row) {
            return row.address.address != own.address &&
                   row.address.address.is_v4() == own.address.is_v4();
        });
        if (several && planned.config.gateway &&
            planned.neighbours.contains(*planned.config.gateway)) {
            planned.mark = marks_.at(own.address);
        }
    }

    void make(PlannedAddress& planned) {
        const ProviderAddressConfig& row = planned.config;
        planned.problem = problem_of(row);
        if (planned.problem.empty()) {
            const std::uint32_t mark = marks_.at(row.address.address);
            planned.mark = mark;
            planned.interface = interface_name(mark);
            planned.mac = row.mac.value_or(interface_mac(row.address.address));
            if (around_.datapath_type.empty()) {
                return;  // Undecided.
            }
            planned.problem = choose_bridge(planned);
        }
        if (!planned.problem.empty()) {
            planned.means = Means::Refused;
            planned.mark = 0;
            planned.interface.clear();
            return;
        }
        planned.means = Means::Made;
        plan_.ports.push_back({planned.interface, planned.bridge, row.vlan, planned.mac,
                               mtu_for(planned), row.address.to_string()});
    }

    // What is wrong with the row alone.
    [[nodiscard]] std::string problem_of(const ProviderAddressConfig& row) {
        const std::string address = row.address.address.to_string();
        const std::string missing = "the host does not carry " + address;
        if (std::ranges::find(around_.awaited, row.address.address) != around_.awaited.end()) {
            return missing + " any more; unless it comes back, the agent makes it in some seconds";
        }
        if (row.address.length == full_length(row.address.address)) {
            return missing + ", and to make it the agent needs its prefix length, like " + address +
                   (row.address.address.is_v4() ? "/24" : "/64");
        }
        if (row.uplink.empty()) {
            return missing +
                   ": name the NIC or bridge that is to carry it as the row's uplink, or give the "
                   "address to an interface that is up";
        }
        if (row.gateway && !row.address.contains(*row.gateway)) {
            return "gateway " + row.gateway->to_string() + " is not in " + row.address.to_string();
        }
        if (!seen_.insert(row.address.address).second) {
            return "another row names " + address + " as well: delete one of the two";
        }
        return {};
    }

    // Sets the bridge, and has it made if need be; returns why that can't be.
    [[nodiscard]] std::string choose_bridge(PlannedAddress& planned) {
        const std::string& uplink = planned.config.uplink;
        const std::string what =
            "uplink " + uplink + " of " + planned.config.address.address.to_string();
        for (const ovs::SwitchBridge& bridge : around_.bridges) {
            if (bridge.name != uplink && port_of(bridge, uplink) == nullptr) {
                continue;
            }
            if (std::string problem = unfit(bridge, what); !problem.empty()) {
                return problem;
            }
            planned.bridge = bridge.name;
            if (bridge.own && bridge.name == bridge_name(uplink)) {
                want_bridge(uplink);
            } else {
                quieten(bridge);
            }
            return same_mac(planned, bridge);
        }
        const ovs::HostLink* link = find_named(around_.links, uplink);
        if (link != nullptr && planned.mac == link->mac) {
            return what + " has the MAC address of the row itself: choose another";
        }
        return take_nic(uplink, what, planned.bridge);
    }

    // A patch from the integration bridge to the uplink's.
    void lead_to(PlannedUplink& planned) {
        const PatchNames names = patch_names(planned.uplink);
        std::string bridge;
        planned.problem = patch_in_the_way(planned.uplink, names);
        if (planned.problem.empty()) {
            planned.problem = find_vlan_bridge(planned.uplink, bridge);
        }
        if (!planned.problem.empty()) {
            return;
        }
        planned.port = names.inner;
        plan_.patches.push_back(
            {names.inner, std::string(around_.integration_bridge), names.outer, planned.uplink});
        plan_.patches.push_back({names.outer, bridge, names.inner, planned.uplink});
    }

    // Sets the bridge that carries the uplink's VLANs; returns why there can be none.
    [[nodiscard]] std::string find_vlan_bridge(const std::string& uplink, std::string& bridge) {
        const std::string what = "uplink " + uplink;
        for (const ovs::SwitchBridge& found : around_.bridges) {
            if (found.name != uplink && port_of(found, uplink) == nullptr) {
                continue;
            }
            if (found.own && found.name != bridge_name(uplink)) {
                return what + " is on bridge " + found.name +
                       ", which the agent made and takes away again: name its NIC";
            }
            bridge = found.name;
            std::string problem = unfit(found, what);
            if (found.own && problem.empty()) {
                want_bridge(uplink);
            }
            return problem;
        }
        return take_nic(uplink, what, bridge);
    }

    // Names come from a hash, and ports of them may be somebody's.
    [[nodiscard]] std::string patch_in_the_way(const std::string& uplink,
                                               const PatchNames& names) const {
        for (const ovs::OwnPatch& patch : plan_.patches) {
            if (patch.name == names.inner) {
                return "uplink " + uplink + " would have the patch port " + names.inner +
                       " of uplink " + patch.uplink + ": rename one of the two";
            }
        }
        for (const ovs::SwitchBridge& bridge : around_.bridges) {
            for (const ovs::SwitchPort& port : bridge.ports) {
                if ((port.name == names.inner || port.name == names.outer) && !port.own) {
                    return "uplink " + uplink + " needs a patch port named " + port.name +
                           ", and bridge " + bridge.name +
                           " has a port of that name which is not the agent's: delete it";
                }
            }
        }
        return {};
    }

    [[nodiscard]] std::string on_integration_bridge(const std::string& what) const {
        return what + " is on the guests' bridge " + std::string(around_.integration_bridge) +
               ": name a NIC or another bridge";
    }

    // Why an uplink can't be on this bridge.
    [[nodiscard]] std::string unfit(const ovs::SwitchBridge& bridge,
                                    const std::string& what) const {
        if (bridge.name == around_.integration_bridge) {
            return on_integration_bridge(what);
        }
        if (bridge.datapath_type != around_.datapath_type) {
            return what + " is on a bridge of datapath type " + bridge.datapath_type +
                   ", and the guests' bridge is of type " + std::string(around_.datapath_type) +
                   ": both have to be of one type";
        }
        return {};
    }

    // A NIC in no bridge of Open vSwitch. Sets the bridge around it; returns why there can be none.
    [[nodiscard]] std::string take_nic(const std::string& nic, const std::string& what,
                                       std::string& bridge) {
        if (nic == around_.integration_bridge) {  // Which the switch may not have made yet.
            return on_integration_bridge(what);
        }
        const ovs::HostLink* link = find_named(around_.links, nic);
        if (link == nullptr) {
            return what +
                   " is neither a NIC of this host nor a bridge of its Open vSwitch: name "
                   "one that there is";
        }
        if (!link->master.empty()) {
            return what + " is a member of " + link->master + ": name that one, or take it out";
        }
        const bool used = std::ranges::any_of(around_.addresses, [&](const ovs::HostAddress& own) {
            return own.interface == nic && !is_link_local(own.address);
        });
        if (used) {
            return what +
                   " carries addresses of the host, which would be cut off if it became a port of "
                   "a bridge: put it into a bridge of Open vSwitch yourself, with its addresses, "
                   "and name that";
        }
        const std::string name = bridge_name(nic);
        if (const ovs::SwitchBridge* taken = find_named(around_.bridges, name);
            taken != nullptr && !taken->own) {
            return what + " needs a bridge named " + name +
                   ", and there is one that is not the agent's: delete or rename it";
        }
        bridge = name;
        want_bridge(nic);
        return {};
    }

    void want_bridge(const std::string& nic) {
        const std::string name = bridge_name(nic);
        if (find_named(plan_.bridges, name) != nullptr) {
            return;
        }
        const ovs::HostLink* link = find_named(around_.links, nic);
        plan_.bridges.push_back({name, std::string(around_.datapath_type), nic,
                                 bridge_mac(link == nullptr ? MacAddress{} : link->mac)});
        plan_.quiet.push_back({nic, kNeverAnswer});
    }

    // An operator's bridge: its devices go on answering for their own addresses.
    void quieten(const ovs::SwitchBridge& bridge) {
        for (const ovs::SwitchPort& port : bridge.ports) {
            for (const std::string& device : port.interfaces) {
                if (!is_interface_name(device) && find_named(around_.links, device) != nullptr &&
                    find_named(plan_.quiet, device) == nullptr) {
                    plan_.quiet.push_back({device, kAnswerForOwn});
                }
            }
        }
    }

    // The kernel hears a NIC beside the bridge, and would take what is for its MAC as its own.
    [[nodiscard]] std::string same_mac(const PlannedAddress& planned,
                                       const ovs::SwitchBridge& bridge) const {
        for (const ovs::HostLink& link : around_.links) {
            if (link.mac == planned.mac && link.name != planned.interface &&
                port_of(bridge, link.name) != nullptr) {
                return "the MAC address " + planned.mac.to_string() + " is that of " + link.name +
                       " as well: choose another";
            }
        }
        return {};
    }

    // The least of the bridge's NICs: Open vSwitch gives an internal port 1500 otherwise.
    [[nodiscard]] unsigned mtu_for(const PlannedAddress& planned) const {
        unsigned mtu = 0;
        const auto consider = [&](std::string_view device) {
            if (const ovs::HostLink* link = find_named(around_.links, device)) {
                mtu = mtu == 0 ? link->mtu : std::min(mtu, link->mtu);
            }
        };
        if (const ovs::SwitchBridge* bridge = find_named(around_.bridges, planned.bridge)) {
            for (const ovs::SwitchPort& port : bridge->ports) {
                if (port.type.empty() || port.type == "system") {
                    std::ranges::for_each(port.interfaces, consider);
                }
            }
        }
        if (mtu == 0) {
            consider(planned.config.uplink);
        }
        return mtu;
    }

    std::span<const ProviderAddressConfig> rows_;
    const Surroundings& around_;
    std::map<IpAddress, std::uint32_t> marks_;
    std::set<IpAddress> seen_;  // To be made.
    Plan plan_;
};

}  // namespace

Plan make_plan(std::span<const ProviderAddressConfig> rows, std::span<const std::string> uplinks,
               const Surroundings& around) {
    return Planner(rows, around).run(uplinks);
}

}  // namespace hnv::underlay
