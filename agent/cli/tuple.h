// A 5-tuple as the packet that a guest, or the host of a guest, would send: what process-tuples
// asks the switch about.
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/args.h"
#include "cli/host_facts.h"

namespace hnv::cli {

struct Tuple {
    std::string port;
    std::uint8_t protocol = 0;
    IpAddress source;
    std::uint16_t source_port = 0;  // Of ICMP: the type.
    IpAddress destination;
    std::uint16_t destination_port = 0;  // Of ICMP: the code.
    bool outbound = true;                // Of `port`.
    std::optional<unsigned> ttl;
    bool established = false;
    bool reply = false;
    std::optional<IpAddress> sender_pa;
};

// From process-tuples' operands and options; the error names the word at fault.
[[nodiscard]] Result<Tuple> parse_tuple(const Arguments& arguments);

// What the switch is to be asked about.
struct Packet {
    std::uint32_t in_port = 0;  // OpenFlow port.
    struct Tunnel {
        std::uint64_t key = 0;
        IpAddress source;
        IpAddress destination;
    };
    std::optional<Tunnel> tunnel;
    MacAddress source_mac;
    MacAddress destination_mac;
    std::uint16_t vlan = 0;
    unsigned ttl = 0;
    std::string sender;              // "port app", "host 192.168.2.20 by VXLAN"
    std::vector<std::string> notes;  // What a person should know besides.
    // The ports of this host whose connections it may belong to, the first judge first.
    std::vector<std::string> judges;
};

[[nodiscard]] Result<Packet> plan_packet(const Tuple& tuple, const HostFacts& facts,
                                         const SwitchPorts& ports);

// In ovs-ofctl's syntax of a flow (ovs-fields(7)).
[[nodiscard]] std::string flow_text(const Tuple& tuple, const Packet& packet);
// The fields of a later packet of a connection, to be added to flow_text(): the connection's state,
// its first packet, and the mark that the judging port gives to its own. Empty for a new one.
[[nodiscard]] std::string connection_text(const Tuple& tuple, std::uint32_t mark);

// "TCP 10.1.1.11:40000 -> 10.1.2.13:80".
[[nodiscard]] std::string tuple_words(const Tuple& tuple);

}  // namespace hnv::cli
