// What the commands that look into the switch know of the host before they ask it: the agent's
// reports, the policy's rows, and the switch's ports.
#pragma once

#include <json/value.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/args.h"
#include "cli/database_rows.h"
#include "cli/datapath_text.h"
#include "cli/flow_words.h"
#include "ovs-integration/address.h"
#include "ovs-integration/openflow_query.h"

namespace hnv::cli {

// A port in one virtual subnet.
struct BoundSubnet {
    std::uint16_t vlan = 0;  // 0: untagged.
    std::uint32_t vsid = 0;
    std::vector<IpAddress> cas;
};
struct LocalPort {
    std::string name;
    std::string interface;
    std::uint32_t ofport = 0;
    std::optional<MacAddress> mac;
    std::vector<BoundSubnet> subnets;
    std::optional<IpAddress> pa;  // That it sends from.
    std::string state;            // "active", "blocked", "unplugged"
    std::string reason;           // When it is blocked.
};

struct CaMapping {
    std::uint32_t vsid = 0;
    std::optional<IpAddress> ca;
    MacAddress mac;
    std::optional<IpAddress> pa;
    std::string encapsulation;  // "vxlan", "nvgre"
    bool local = false;
};

struct SubnetPrefix {
    IpPrefix prefix;  // Without host bits.
    IpAddress gateway;
};
struct SubnetFacts {
    std::uint32_t vsid = 0;
    std::uint32_t network = 0;  // The lowest VSID of its virtual network, as in the switch.
    std::string name;
    std::string rdid;
    std::string router;  // Name of the Logical_Router that binds it; empty: none.
    bool routed = false;
    std::vector<SubnetPrefix> prefixes;
};

struct HostFacts {
    std::string bridge;
    std::string ovs_run_dir;
    MacAddress router_mac;
    std::vector<LocalPort> ports;
    std::vector<CaMapping> mappings;
    std::vector<SubnetFacts> subnets;  // By VSID.
    std::vector<std::string> provider_addresses;
    // The enabled rules of the ports that were asked for: fetch_rules().
    std::vector<RuleRow> rules;
    // Places in `rules`, by the port's name and what the rule's id is in a cookie.
    std::multimap<std::pair<std::string, std::uint64_t>, std::size_t> rule_index;

    void add_rule(RuleRow rule);

    [[nodiscard]] const LocalPort* port_named(std::string_view name) const;
    [[nodiscard]] const LocalPort* port_numbered(std::uint32_t ofport) const;
    [[nodiscard]] const SubnetFacts* subnet(std::uint32_t vsid) const;
    [[nodiscard]] const CaMapping* mapping(std::uint32_t vsid, const IpAddress& ca) const;
};

// From the agent's answers to hnv/ports, hnv/mappings and so on. Members that are absent read as
// nothing.
[[nodiscard]] std::vector<LocalPort> read_ports(const Json::Value& report);
[[nodiscard]] std::vector<CaMapping> read_mappings(const Json::Value& report);
// From the databases' rows.
[[nodiscard]] std::vector<SubnetFacts> read_subnets(const VtepRows& rows);
[[nodiscard]] std::vector<CaMapping> read_mappings(const VtepRows& rows,
                                                   std::span<const std::string> provider_addresses);

// Of the numbers in flows.
[[nodiscard]] Names names_of(const HostFacts& facts, const SwitchPorts& ports);

// One report of the agent over its control socket.
[[nodiscard]] Result<Json::Value> ask_agent(const Arguments& arguments, const std::string& command,
                                            const std::vector<std::string>& operands = {});
// Ports, subnets and provider addresses from the running agent; of mappings, which may be a great
// many, only those of the addresses in the words of `cas`.
[[nodiscard]] Result<HostFacts> gather(const Arguments& arguments,
                                       std::span<const std::string> cas = {});
// Every mapping, for those who count them.
[[nodiscard]] Status fetch_mappings(const Arguments& arguments, HostFacts& facts);
// The firewall's rules of these ports.
[[nodiscard]] Status fetch_rules(const Arguments& arguments, std::span<const std::string> ports,
                                 HostFacts& facts);

// The local Open vSwitch as an operator asks it: its control socket, and flows of the bridge.
class SwitchControl {
  public:
    // The error says which sockets were looked for.
    static Result<SwitchControl> open(const HostFacts& facts);

    [[nodiscard]] Result<std::string> call(const std::string& command,
                                           std::span<const std::string> arguments) const;
    [[nodiscard]] Result<SwitchPorts> ports() const;
    [[nodiscard]] Result<std::vector<ovs::FlowRecord>> flows(
        std::span<const ovs::FlowFilter> filters) const;

  private:
    SwitchControl(std::string socket, std::string management, std::string bridge)
        : socket_(std::move(socket)),
          management_(std::move(management)),
          bridge_(std::move(bridge)) {}

    std::string socket_;
    std::string management_;
    std::string bridge_;
};

}  // namespace hnv::cli
