#include "golden_cases.h"

#include <algorithm>
#include <set>

#include "pipeline/compile.h"
#include "policy/rule_book.h"
#include "support/policy_builder.h"

namespace hnv::test {

namespace {

using pipeline::compile;
using pipeline::FlowSet;
using policy::Direction;
using policy::Encapsulation;
using policy::PortView;
using policy::RuleAction;
using policy::RuleLayer;
using policy::RuleSpec;

constexpr std::uint64_t kSqlMac = 0x00155d50010b;
constexpr std::uint64_t kWebMac = 0x00155d50010c;

// "contoso-sql", active, without rules.
PortView sql_port() {
    PortView port;
    port.name = "contoso-sql";
    port.ofport = 5;
    port.active = true;
    port.attachments = {{0,
                         5001,
                         5000,
                         mac(kSqlMac),
                         {ip("10.1.1.11")},
                         policy::Attachment::Router{policy::Model::kDefaultRouterMac,
                                                    ip("10.1.1.1"), std::nullopt}}};
    return port;
}

RuleSpec allow(Direction direction) { return rule("contoso-sql", direction); }

// The port and its rules, as the rule book has them: the port's flows, then the rules'.
FlowSet with_rules(PortView port, std::vector<RuleSpec> rules) {
    policy::Faults faults;
    policy::RuleBook book(faults);
    std::uint32_t row = 0;
    for (RuleSpec& each : rules) {
        each.port = port.name;
        each.id += "-" + std::to_string(++row);
        book.put(test::uuid(row), each);
    }
    book.plug(port.name, port.ofport);
    std::set<std::string> ports;
    std::vector<policy::ObjectId> objects = book.resolve(ports);
    std::sort(objects.begin(), objects.end());
    port.acl = book.acl(port.name);
    FlowSet out = compile(port);
    for (const policy::ObjectId& id : objects) {
        if (const auto view = book.view(id)) {
            const FlowSet more = compile(*view);
            out.flows.insert(out.flows.end(), more.flows.begin(), more.flows.end());
        }
    }
    return out;
}

PortView allow_all_port() {
    PortView port = sql_port();
    port.acl.any = true;
    port.acl.has_layer = {false, true};
    port.acl.all = RuleAction::Allow;
    return port;
}

FlowSet host() {
    return compile(policy::HostView{1, 2, policy::Model::kDefaultRouterMac, 1600, 0});
}

FlowSet host_with_bfd() {
    policy::HostView host;
    host.vxlan_ofport = 1;
    host.bfd_ofports = {7, 9};
    return compile(host);
}

FlowSet host_without_tunnels() { return compile(policy::HostView{}); }

FlowSet port_allow_all() { return compile(allow_all_port()); }

FlowSet port_block_all() {
    PortView port = allow_all_port();
    port.acl.all = RuleAction::Block;
    return compile(port);
}

FlowSet port_blocked() {
    PortView port;
    port.name = "contoso-sql";
    port.ofport = 5;
    return compile(port);
}

// No inbound rule: what comes unasked is blocked, replies are not.
FlowSet port_outbound_only() { return with_rules(sql_port(), {allow(Direction::Outbound)}); }

// At most 100 connections, all allowed.
FlowSet port_flow_limit() {
    PortView port = allow_all_port();
    port.flow_limit = 100;
    return compile(port);
}

// Two lists of which the combinations are many; another rule of the rank shares some of them.
FlowSet port_long_lists() {
    RuleSpec lists = rule("contoso-sql", Direction::Inbound, RuleAction::Allow, 500);
    lists.protocols = {6};
    lists.destination_ports = {{80, 80}, {443, 443}, {8080, 8081}};
    RuleSpec more = lists;
    for (std::uint32_t i = 0; i < 20; ++i) {
        lists.sources.push_back({IpAddress::from_v4(0x0a020000U + i * 256), 24});
    }
    more.sources = {lists.sources[0], lists.sources[1]};
    more.destination_ports = {{22, 22}};
    RuleSpec logged = rule("contoso-sql", Direction::Inbound, RuleAction::Block, 501);
    logged.layer = RuleLayer::Admin;
    logged.protocols = {17};
    logged.logged = true;
    // Lists in which an entry is everything: of both dimensions it is one and the same match.
    RuleSpec all = rule("contoso-sql", Direction::Outbound, RuleAction::Block, 502);
    for (std::uint32_t i = 0; i < 8; ++i) {
        all.sources.push_back({IpAddress::from_v4(0x0a030000U + i * 256), 24});
        all.destinations.push_back({IpAddress::from_v4(0x0a040000U + i * 256), 24});
    }
    all.sources.push_back(prefix("0.0.0.0/0"));
    all.destinations.push_back(prefix("0.0.0.0/0"));
    // All source ports, said and unsaid: one match for both rules.
    RuleSpec said = rule("contoso-sql", Direction::Outbound, RuleAction::Allow, 503);
    said.protocols = {6};
    for (std::uint32_t i = 0; i < 8; ++i) {
        said.sources.push_back({IpAddress::from_v4(0x0a050000U + i * 256), 24});
        said.destinations.push_back({IpAddress::from_v4(0x0a060000U + i * 256), 24});
    }
    said.destination_ports = {{443, 443}};
    RuleSpec unsaid = said;
    said.source_ports = {{0, 65535}};
    return with_rules(sql_port(), {lists, more, logged, all, said, unsaid});
}

FlowSet port_two_layers() {
    PortView port = sql_port();
    port.attachments[0].cas = {ip("10.1.1.11"), ip("2001:db8::11")};
    port.attachments[0].router->v6 = ip("2001:db8::1");
    RuleSpec block = rule("contoso-sql", Direction::Outbound, RuleAction::Block, 100);
    block.layer = RuleLayer::Admin;
    block.destinations = {prefix("169.254.0.0/16"), prefix("fe80::/10")};
    RuleSpec admin_out = rule("contoso-sql", Direction::Outbound, RuleAction::Allow, 65000);
    admin_out.layer = RuleLayer::Admin;
    RuleSpec admin_in = rule("contoso-sql", Direction::Inbound, RuleAction::Allow, 65000);
    admin_in.layer = RuleLayer::Admin;
    RuleSpec sql = rule("contoso-sql", Direction::Inbound, RuleAction::Allow, 101);
    sql.sources = {prefix("10.1.1.0/24")};
    sql.protocols = {6};
    sql.destination_ports = {{1433, 1434}};
    RuleSpec ping = rule("contoso-sql", Direction::Inbound, RuleAction::Allow, 102);
    ping.protocols = {1, 58};
    return with_rules(std::move(port), {block, admin_out, admin_in, sql, ping});
}

FlowSet port_appliance() {
    PortView port = allow_all_port();
    port.mac_spoofing_allowed = true;
    port.ip_forwarding_allowed = true;
    port.arp_limit_pps = 100;
    return compile(port);
}

FlowSet port_mac_spoofing() {
    PortView port = allow_all_port();
    port.mac_spoofing_allowed = true;
    return compile(port);
}

// A gateway port: a pool with a range and ports, a pair within its prefix, a pool of IPv6.
FlowSet port_gateway() {
    PortView port = allow_all_port();
    port.ip_forwarding_allowed = true;
    policy::Attachment& attachment = port.attachments[0];
    attachment.cas = {ip("10.1.1.11"), ip("2001:db8::11")};
    attachment.router->v6 = ip("2001:db8::1");
    attachment.translations = {
        {prefix("10.1.1.0/24"),
         false,
         ip("203.0.113.2"),
         ip("203.0.113.4"),
         {prefix("203.0.113.2/31"), prefix("203.0.113.4")},
         policy::PortRange{1024, 2047}},
        {prefix("10.1.1.12"), true, ip("203.0.113.9"), ip("203.0.113.9"), {prefix("203.0.113.9")}},
        {prefix("2001:db8::/64"),
         false,
         ip("2001:db8:f::1"),
         ip("2001:db8:f::1"),
         {prefix("2001:db8:f::1")}}};
    return compile(port);
}

// One that is a gateway in a VLAN only.
FlowSet port_trunk_gateway() {
    PortView port = allow_all_port();
    policy::Attachment tagged = port.attachments[0];
    tagged.vlan = 10;
    tagged.vsid = 6001;
    tagged.network = 6001;
    tagged.translations = {{prefix("10.1.1.0/24"),
                            false,
                            ip("203.0.113.2"),
                            ip("203.0.113.2"),
                            {prefix("203.0.113.2")}}};
    port.attachments.push_back(tagged);
    return compile(port);
}

// All that Port_Settings can hold a port to.
FlowSet port_limited() {
    PortView port = allow_all_port();
    port.attachments[0].cas = {ip("10.1.1.11"), ip("2001:db8::11")};
    port.dhcp_guard = true;
    port.router_guard = true;
    port.storm_limit_pps = 1000;
    port.flow_limit = 5000;
    port.outbound_max_mbps = 100;
    port.inbound_max_mbps = 1;
    return compile(port);
}

// A trunking guest in three subnets, of which two have the same addresses, that sends from
// provider addresses with routing compartments of their own.
FlowSet port_trunk() {
    PortView port = allow_all_port();
    policy::Attachment tagged = port.attachments[0];
    tagged.vlan = 10;
    tagged.vsid = 6001;
    tagged.network = 6001;
    port.attachments.push_back(tagged);
    port.attachments.push_back(
        {20, 7001, 7001, mac(kSqlMac), {ip("10.7.0.11")}, std::nullopt, false});
    port.mark_v4 = 0x101;
    port.mark_v6 = 0x202;
    return with_rules(std::move(port), {allow(Direction::Outbound)});  // With connection state.
}

// A port of hardware_vtep: untagged whoever is there, in VLAN 10 with a list of each kind of entry.
FlowSet port_vtep() {
    using policy::AclEntrySpec;
    PortView port;
    port.name = "baremetal";
    port.ofport = 5;
    port.vtep = true;
    port.active = true;
    port.attachments = {{.vlan = 0,
                         .vsid = 5,
                         .network = 5,
                         .mac = mac(kSqlMac),
                         .cas = {},
                         .flood = policy::Flood::Here},
                        {.vlan = 10,
                         .vsid = 6,
                         .network = 6,
                         .mac = {},
                         .cas = {},
                         .flood = policy::Flood::Everywhere}};
    port.storm_limit_pps = 100;
    const policy::MaskedAddress net{ip("10.0.1.0"), ip("255.0.255.0")};
    const policy::MaskedAddress net6{ip("fd00::1"), ip("ffff::ff")};
    constexpr auto kAllow = RuleAction::Allow;
    constexpr auto kBlock = RuleAction::Block;
    const std::vector<AclEntrySpec> entries{
        {.action = kBlock, .source_mac = mac(kSqlMac), .destination_mac = mac(kWebMac)},
        {.action = kBlock, .ethertype = std::uint16_t{0x0806}},
        {.action = kAllow, .source = net},
        {.action = kBlock, .source = net6, .protocol = std::uint8_t{17}},
        {.action = kAllow, .protocol = std::uint8_t{47}},
        {.action = kAllow,
         .destination = net,
         .protocol = std::uint8_t{6},
         .source_ports = policy::PortRange{1, 2},
         .destination_ports = policy::PortRange{80, 80}},
        {.action = kBlock, .tcp_flags = policy::TcpFlags{0x002, 0x012}},
        {.action = kBlock, .icmp_type = std::uint8_t{8}, .icmp_code = std::uint8_t{0}},
        {.action = kBlock, .destination_ports = policy::PortRange{53, 53}},
        {.action = kBlock},
    };
    port.attachments[1].acl = entries;
    port.attachments[1].acl.push_back(
        {.direction = Direction::Inbound, .action = kBlock, .ethertype = std::uint16_t{0x86dd}});
    return compile(port);
}

// A MAC behind a port of hardware_vtep, in VLAN 10, in a subnet that has a router.
FlowSet learned() {
    return compile(policy::LearnedView{.vsid = 6,
                                       .mac = mac(kWebMac),
                                       .ofport = 5,
                                       .vlan = 10,
                                       .v4 = ip("10.6.0.12"),
                                       .v6 = ip("fd00::12"),
                                       .routed_cas = {ip("10.6.0.12")}});
}

FlowSet learned_without_address() {
    return compile(policy::LearnedView{.vsid = 5, .mac = mac(kWebMac), .ofport = 5});
}

// With the locators of unknown-dst, or of the mappings alone.
FlowSet subnet_vtep(policy::Flood flood) {
    policy::SubnetView view;
    view.vsid = 6;
    view.tunnels = {1, 2};
    view.local_ports = {{5, 10, {}}, {6, 0, {}}};
    view.peers = {{Encapsulation::Vxlan, ip("192.168.2.20")}};
    view.flood = flood;
    return compile(view);
}

FlowSet subnet_vtep_here() { return subnet_vtep(policy::Flood::Here); }

FlowSet subnet_vtep_everywhere() { return subnet_vtep(policy::Flood::Everywhere); }

// Such a port in two subnets of a logical router, and in one without.
FlowSet port_vtep_routed() {
    PortView port;
    port.name = "baremetal";
    port.ofport = 5;
    port.vtep = true;
    port.active = true;
    const policy::Attachment::Router router{policy::Model::kDefaultRouterMac, ip("10.1.1.1"),
                                            ip("2001:db8::1")};
    port.attachments = {
        {.vlan = 0, .vsid = 5, .network = 5, .mac = mac(kSqlMac), .cas = {}, .router = router},
        {.vlan = 10, .vsid = 6, .network = 5, .mac = {}, .cas = {}, .router = router},
        {.vlan = 20, .vsid = 7, .network = 7, .mac = {}, .cas = {}}};
    port.attachments[0].router_addresses = {ip("10.1.1.1"), ip("10.1.9.7"), ip("2001:db8::1"),
                                            ip("fe80::215:5dff:feff:fffe")};
    port.attachments[1].router_addresses = {ip("10.1.2.1")};
    return compile(port);
}

FlowSet peer_vtep() {
    return compile(policy::PeerView{.network = 5, .pa = ip("192.168.2.20"), .vtep = true});
}

// What ms_darv gives a port in one VLAN of two, in both families.
FlowSet port_dhcp() {
    PortView port = allow_all_port();
    policy::Attachment& attachment = port.attachments[0];
    attachment.cas = {ip("10.1.1.11"), ip("2001:db8::11")};
    attachment.router->v6 = ip("2001:db8::1");
    attachment.dhcp_server = ip("10.1.1.1");
    attachment.dhcpv6 = true;
    attachment.advertised = true;
    port.attachments.push_back(
        {20, 7001, 7001, mac(kSqlMac), {ip("10.7.0.11")}, std::nullopt, false});
    return compile(port);
}

FlowSet port_without_address() {
    PortView port = allow_all_port();
    port.attachments[0].cas.clear();
    return compile(port);
}

FlowSet subnet() {
    policy::SubnetView view;
    view.vsid = 5001;
    view.tunnels = {1, 2};
    view.router = policy::SubnetView::Router{policy::Model::kDefaultRouterMac, 5000};
    view.local_ports = {{5, 0, {}}, {6, 10, {}}};
    view.peers = {{Encapsulation::Vxlan, ip("192.168.2.20")},
                  {Encapsulation::Vxlan, ip("192.168.3.30")},
                  {Encapsulation::Nvgre, ip("192.168.4.40")}};
    return compile(view);
}

// Groups with sets of their own, ports at two provider addresses of this host.
FlowSet subnet_groups() {
    policy::SubnetView view;
    view.vsid = 5001;
    view.tunnels = {1, 2};
    view.local_ports = {{5, 0, ip("192.168.1.10")}, {6, 0, ip("192.168.1.11")}};
    view.peers = {{Encapsulation::Vxlan, ip("192.168.2.20")}};
    view.arrivals = {ip("192.168.1.10"), ip("192.168.1.11")};
    view.groups = {
        {mac(0x01005e000001),
         {{Encapsulation::Nvgre, ip("192.168.3.30")}, {Encapsulation::Vxlan, ip("2001:db8::40")}},
         {ip("192.168.1.11")}}};
    return compile(view);
}

FlowSet subnet_per_vm() {
    policy::SubnetView view;
    view.vsid = 5001;
    view.tunnels = {1, 2};
    view.local_ports = {{5, 0, {}}};
    view.members = {{mac(kWebMac), {Encapsulation::Vxlan, ip("192.168.2.20")}},
                    {mac(kWebMac + 1), {Encapsulation::Vxlan, ip("192.168.2.20")}}};
    return compile(view);
}

// A VLAN of the underlay, reached by OpenFlow port 9.
FlowSet subnet_vlan() {
    policy::SubnetView view;
    view.vsid = policy::vsid_of_vlan(100);
    view.vlan = policy::SubnetView::Vlan{100, 9};
    view.local_ports = {{5, 0, {}}};
    return compile(view);
}

FlowSet port_bridged() {
    PortView port = allow_all_port();
    policy::Attachment& attachment = port.attachments[0];
    attachment.vsid = attachment.network = policy::vsid_of_vlan(100);
    attachment.cas = {ip("10.1.1.11"), ip("2001:db8::11")};
    attachment.router.reset();
    attachment.bridged = true;
    return compile(port);
}

FlowSet vip() {
    return compile(
        policy::VipView{5001, 5000, ip("10.1.1.100"), {mac(kSqlMac), mac(kWebMac)}, true});
}

// Mirrors to a port here and to two hosts, of which one is reached over IPv6; copies that come from
// elsewhere; an appliance in two subnets, of which one does not know it.
FlowSet service() {
    policy::ServiceView view;
    view.port = "contoso-sql";
    view.ofport = 5;
    view.tunnels = {1, 2};
    view.mark_v4 = 0x101;
    view.mark_v6 = 0x202;
    RuleSpec sql;
    sql.protocols = {6};
    sql.destinations = {prefix("10.1.1.0/24"), prefix("2001:db8::/64")};
    sql.destination_ports = {{1433, 1434}};
    view.mirrors = {{sql, true, true, 9, {}},
                    {{}, true, false, 0, {{Encapsulation::Vxlan, ip("192.168.2.20")}, 990001}},
                    {{}, false, true, 0, {{Encapsulation::Nvgre, ip("2001:db8:2::20")}, 990002}}};
    view.arrivals = {{990003, {ip("192.168.2.20"), ip("2001:db8:2::20")}}};
    view.insertions = {{sql, {{0, 5001, mac(kWebMac)}, {10, 6001, std::nullopt}}, false},
                       {{}, {{0, 5002, mac(kWebMac)}, {10, 6001, std::nullopt}}, true}};
    return compile(view);
}

FlowSet port_may_demand() {
    PortView port = allow_all_port();
    port.may_demand = true;
    return compile(port);
}

FlowSet subnet_on_demand() {
    policy::SubnetView view;
    view.vsid = 5001;
    view.on_demand = true;
    return compile(view);
}

FlowSet subnet_alone() {
    policy::SubnetView view;
    view.vsid = 5001;
    return compile(view);
}

FlowSet subnet_with_vxlan_alone() {
    policy::SubnetView view;
    view.vsid = 5001;
    view.tunnels = {1, 0};
    return compile(view);
}

FlowSet router() {
    policy::RouterView view;
    view.network = 5000;
    view.mac = policy::Model::kDefaultRouterMac;
    view.gateways = {ip("10.1.1.1"), ip("2001:db8:1::1")};
    view.connected = {{prefix("10.1.1.0/24"), 5000}, {prefix("2001:db8:1::/64"), 5000}};
    view.routes = {{prefix("0.0.0.0/0"), std::nullopt, 5000, mac(kWebMac)},
                   {prefix("0.0.0.0/0"), 5001, 5000, mac(kWebMac)}};
    view.peers = {ip("192.168.2.20")};
    return compile(view);
}

FlowSet peer(std::string_view pa) { return compile(policy::PeerView{5001, ip(pa)}); }
FlowSet peer_over_ipv4() { return peer("192.168.2.20"); }
FlowSet peer_over_ipv6() { return peer("2001:db8:2::20"); }

FlowSet mac_routed() {
    policy::MacView view{5001, mac(kWebMac), {Encapsulation::Vxlan, ip("192.168.2.20")}, false};
    view.routed_cas = {ip("10.1.1.12"), ip("2001:db8:1::12")};
    return compile(view);
}

FlowSet mac_of(Encapsulation encapsulation, std::string_view pa, bool local) {
    return compile(policy::MacView{5001, mac(kWebMac), {encapsulation, ip(pa)}, local});
}
FlowSet mac_vxlan() { return mac_of(Encapsulation::Vxlan, "192.168.2.20", false); }
FlowSet mac_nvgre() { return mac_of(Encapsulation::Nvgre, "192.168.4.40", false); }
FlowSet mac_local_pa() { return mac_of(Encapsulation::Vxlan, "192.168.1.10", true); }

// Host 1 of the deployment that the README shows: two tenants with the same addresses.
FlowSet two_tenants_host1() {
    PolicyBuilder policy;
    policy.provider_address(1, "192.168.1.10/24");
    policy.locator(1, "192.168.1.10");
    policy.locator(2, "192.168.2.20");
    std::vector<policy::InterfaceSpec> interfaces;
    std::uint32_t row = 1;
    for (const auto& [vsid, name, macs] : {std::tuple(5001U, "contoso-sql", 0x00155d500100ULL),
                                           std::tuple(6001U, "fabrikam-sql", 0x00155d600100ULL)}) {
        policy.subnet(row, vsid);
        policy.router(row, {{"10.1.1.0/24", row}});
        policy.mapping(2 * row, row, 1, macs + 11, "10.1.1.11");
        policy.mapping(2 * row + 1, row, 2, macs + 12, "10.1.1.12");
        policy.port(row, name, row);
        policy.allow_all(2 * row, name);
        interfaces.push_back(plug(name, 10 + row, macs + 11));
        ++row;
    }
    policy.model.set_interfaces(interfaces);
    policy.model.set_tunnel_ports({1, 2});
    policy.commit();
    FlowSet all;
    policy.model.for_each_object([&](const policy::ObjectId& id) {
        const FlowSet set = compile(policy.model, id);
        all.flows.insert(all.flows.end(), set.flows.begin(), set.flows.end());
        all.meters.insert(all.meters.end(), set.meters.begin(), set.meters.end());
    });
    return all;
}

}  // namespace

const std::vector<GoldenCase>& golden_cases() {
    static const std::vector<GoldenCase> cases{
        {"host", host},
        {"host_with_bfd", host_with_bfd},
        {"host_without_tunnels", host_without_tunnels},
        {"port_allow_all", port_allow_all},
        {"port_block_all", port_block_all},
        {"port_blocked", port_blocked},
        {"port_outbound_only", port_outbound_only},
        {"port_flow_limit", port_flow_limit},
        {"port_long_lists", port_long_lists},
        {"port_two_layers", port_two_layers},
        {"port_appliance", port_appliance},
        {"port_mac_spoofing", port_mac_spoofing},
        {"port_limited", port_limited},
        {"port_trunk", port_trunk},
        {"port_vtep", port_vtep},
        {"learned", learned},
        {"learned_without_address", learned_without_address},
        {"subnet_vtep_here", subnet_vtep_here},
        {"subnet_vtep_everywhere", subnet_vtep_everywhere},
        {"port_vtep_routed", port_vtep_routed},
        {"peer_vtep", peer_vtep},
        {"port_gateway", port_gateway},
        {"port_trunk_gateway", port_trunk_gateway},
        {"port_dhcp", port_dhcp},
        {"port_without_address", port_without_address},
        {"subnet", subnet},
        {"subnet_groups", subnet_groups},
        {"subnet_per_vm", subnet_per_vm},
        {"subnet_alone", subnet_alone},
        {"subnet_on_demand", subnet_on_demand},
        {"port_may_demand", port_may_demand},
        {"vip", vip},
        {"service", service},
        {"subnet_vlan", subnet_vlan},
        {"port_bridged", port_bridged},
        {"subnet_with_vxlan_alone", subnet_with_vxlan_alone},
        {"router", router},
        {"peer_over_ipv4", peer_over_ipv4},
        {"peer_over_ipv6", peer_over_ipv6},
        {"mac_routed", mac_routed},
        {"mac_vxlan", mac_vxlan},
        {"mac_nvgre", mac_nvgre},
        {"mac_local_pa", mac_local_pa},
        {"two_tenants_host1", two_tenants_host1},
    };
    return cases;
}

}  // namespace hnv::test
