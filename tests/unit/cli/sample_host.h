// The host that recorded_text.h tells of, as the commands know it: app and cache are of one
// virtual network, in two virtual subnets; db and web are on another host.
#pragma once

#include <string>
#include <utility>

#include "cli/host_facts.h"
#include "recorded_text.h"

namespace hnv::cli::test {

inline IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
inline MacAddress mac(const std::string& text) { return MacAddress::parse(text).value(); }

inline RuleRow rule(const std::string& id, const std::string& type, const std::string& action,
                    const std::string& direction, std::int64_t priority) {
    RuleRow row;
    row.rule_id = id;
    row.vnic_id = "cache";
    row.rule_type = type == "admin" ? "RuleWithAdminPriority" : "RuleWithControllerPriority";
    row.action = action;
    row.direction = direction;
    row.priority = priority;
    row.rule_state = "Enabled";
    row.protocols = "TCP";
    row.dst_ports = "81";
    return row;
}

inline LocalPort local_port(const std::string& name, std::uint32_t ofport, const std::string& mac_,
                            std::uint32_t vsid, const std::string& ca) {
    return {
        name,     name, ofport, MacAddress::parse(mac_), {{0, vsid, {ip(ca)}}}, ip("192.168.1.10"),
        "active", ""};
}

inline HostFacts sample_host() {
    HostFacts facts;
    facts.bridge = "br-hnv";
    facts.router_mac = mac("00:15:5d:ff:ff:fe");
    facts.ports = {local_port("app", 3, "00:15:5d:50:01:0b", 5001, "10.1.1.11"),
                   local_port("cache", 4, "00:15:5d:50:02:0d", 5002, "10.1.2.13"),
                   local_port("other-app", 5, "00:15:5d:60:01:63", 6001, "10.1.1.99")};
    const auto mapping = [](std::uint32_t vsid, const char* ca, const char* ca_mac, const char* pa,
                            const char* encapsulation) {
        return CaMapping{vsid,   ip(ca),        mac(ca_mac),
                         ip(pa), encapsulation, ip(pa) == ip("192.168.1.10")};
    };
    facts.mappings = {mapping(5001, "10.1.1.11", "00:15:5d:50:01:0b", "192.168.1.10", "vxlan"),
                      mapping(5001, "10.1.1.12", "00:15:5d:50:01:0c", "192.168.2.20", "vxlan"),
                      mapping(5002, "10.1.2.12", "00:15:5d:50:02:0c", "192.168.2.20", "nvgre"),
                      mapping(5002, "10.1.2.13", "00:15:5d:50:02:0d", "192.168.1.10", "nvgre"),
                      mapping(6001, "10.1.1.99", "00:15:5d:60:01:63", "192.168.1.10", "vxlan")};
    const auto subnet = [](std::uint32_t vsid, std::uint32_t network, const char* router,
                           const char* prefix, const char* gateway) {
        return SubnetFacts{vsid,
                           network,
                           std::to_string(vsid),
                           router,
                           router,
                           true,
                           {{*IpPrefix::parse(prefix), ip(gateway)}}};
    };
    facts.subnets = {subnet(5001, 5001, "contoso", "10.1.1.0/24", "10.1.1.1"),
                     subnet(5002, 5001, "contoso", "10.1.2.0/24", "10.1.2.1"),
                     subnet(6001, 6001, "fabrikam", "10.1.1.0/24", "10.1.1.1")};
    facts.add_rule(rule("admin-web", "admin", "Allow", "Inbound", 100));
    facts.add_rule(rule("no-81", "controller", "Block", "Inbound", 50));
    facts.add_rule(rule("in", "controller", "Allow", "Inbound", 100));
    facts.provider_addresses = {"192.168.1.10/24"};
    return facts;
}

inline SwitchPorts sample_ports() { return parse_dpif_show(recorded("dpif_show"), "br-hnv"); }

}  // namespace hnv::cli::test
