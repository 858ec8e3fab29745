// What ovs-vswitchd prints of its datapath, as values: `dpif/show`, `dpctl/dump-flows -m`, and the
// actions of a datapath (ODP) flow (ovs-dpctl(8); the form is that of Open vSwitch 3.1).
//
// Pure. The text is another program's and may change: what is not understood is left out, or stays
// in its own words.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/address.h"

namespace hnv::cli {

// A port of a bridge, in the switch's numbers.
struct SwitchPort {
    std::string bridge;
    std::string name;
    std::uint32_t ofport = 0;
    std::string datapath_port;  // Its number in the datapath, as printed.
    std::string type;           // "system", "tap", "vxlan", "gre", …
};
struct SwitchPorts {
    std::string datapath;  // Of the bridge asked for: "netdev@ovs-netdev".
    std::vector<SwitchPort> ports;

    [[nodiscard]] const SwitchPort* by_ofport(std::string_view bridge, std::uint32_t ofport) const;
    // By its name or its number in the datapath.
    [[nodiscard]] const SwitchPort* by_datapath(std::string_view port) const;
    [[nodiscard]] const SwitchPort* by_name(std::string_view name) const;
};
// Those of the datapath that `bridge` is on; no ports if there is no such bridge.
[[nodiscard]] SwitchPorts parse_dpif_show(std::string_view text, std::string_view bridge);

struct DatapathFlow {
    std::string ufid;
    std::string key;  // What ofproto/trace takes for the packet.
    std::string actions;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::string used;  // "1.242s", "never".

    // What is between the brackets of a field of the key; empty if it has none.
    [[nodiscard]] std::string_view field(std::string_view name) const;
};
[[nodiscard]] std::vector<DatapathFlow> parse_datapath_flows(std::string_view text);

// Where a packet goes by a list of datapath actions.
struct Emission {
    enum class Kind : std::uint8_t { Port, Tunnel, Agent, Recirculation, Decapsulation };
    Kind kind{};
    std::string port;                  // Port: its name or number. Decapsulation: the tunnel port.
    std::string encapsulation;         // Tunnel: "vxlan", "gre", or the port's name or number.
    std::uint64_t key = 0;             // Tunnel: VNI or GRE key.
    std::optional<IpAddress> source;   // Tunnel: of the outer header, if the list has it.
    std::optional<IpAddress> target;   // Tunnel.
    std::uint64_t recirculation = 0;   // Recirculation.
    std::optional<std::uint64_t> mtu;  // The most bytes a frame may have on this way.
};
// In order; of check_pkt_len() the way of a packet that is not too long.
[[nodiscard]] std::vector<Emission> emissions(std::string_view actions);

// The actions for a person, each in a word or two; `name_of` names a port.
[[nodiscard]] std::vector<std::string> action_words(
    std::string_view actions, const std::function<std::string(std::string_view)>& name_of);

}  // namespace hnv::cli
