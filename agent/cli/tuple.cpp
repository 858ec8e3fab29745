#include "cli/tuple.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "cli/text_list.h"
#include "ovs-integration/wire.h"

namespace hnv::cli {
namespace {

constexpr unsigned kGuestTtl = 64;
// Locally administered, and nobody's: of a destination that is not mapped.
constexpr MacAddress kNobody{{0x02, 0, 0, 0, 0, 0}};
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct ProtocolName {
    std::string_view name;
    std::uint8_t number;
    std::string_view field;  // In ovs-ofctl's words, before "_src".
};
constexpr std::array kProtocols{
    ProtocolName{"tcp", wire::kTcp, "tcp"}, ProtocolName{"udp", wire::kUdp, "udp"},
    ProtocolName{"sctp", wire::kSctp, "sctp"}, ProtocolName{"icmp", wire::kIcmp, "icmp"},
    ProtocolName{"icmpv6", wire::kIcmpv6, "icmpv6"}};

const ProtocolName* protocol_numbered(std::uint8_t number) {
    const auto* const found = std::ranges::find(kProtocols, number, &ProtocolName::number);
    return found == kProtocols.end() ? nullptr : found;
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

std::optional<std::uint8_t> parse_protocol(const std::string& word) {
    const std::string name = lower(word);
    const auto* const known = std::ranges::find(kProtocols, name, &ProtocolName::name);
    if (known != kProtocols.end()) {
        return known->number;
    }
    const auto number = number_in(word);
    return number && *number <= 0xff ? std::optional(static_cast<std::uint8_t>(*number))
                                     : std::nullopt;
}

Status read_state(const std::string& words, Tuple& tuple) {
    for (const std::string_view word : split_list(words)) {
        if (word == "est") {
            tuple.established = true;
        } else if (word == "rpl") {
            tuple.reply = true;
        } else if (word != "new" && word != "trk") {
            return Error("--ct-state: '" + std::string(word) + "' is none of: new, est, rpl");
        }
    }
    if (tuple.reply && !tuple.established) {
        return Error("--ct-state: rpl goes with est");
    }
    return {};
}

bool on_link(const SubnetFacts& subnet, const IpAddress& address) {
    return subnet.prefixes.empty() ||
           std::ranges::any_of(subnet.prefixes, [&](const SubnetPrefix& one) {
               return one.prefix.contains(address);
           });
}

bool is_gateway(const SubnetFacts& subnet, const IpAddress& address) {
    return std::ranges::find(subnet.prefixes, address, &SubnetPrefix::gateway) !=
           subnet.prefixes.end();
}

// RFC 1112 section 6.4, RFC 2464 section 7; broadcast for the rest.
std::optional<MacAddress> group_mac(const SubnetFacts* subnet, const IpAddress& address) {
    const auto& bytes = address.bytes();
    if (address.is_v4()) {
        const std::uint32_t value = address.v4();
        if (value >> 28 == 0xe) {
            return MacAddress{{0x01, 0x00, 0x5e, static_cast<std::uint8_t>(bytes[13] & 0x7f),
                               bytes[14], bytes[15]}};
        }
        const auto last_of = [&](const SubnetPrefix& one) {
            return one.prefix.address.is_v4() && one.prefix.length < 31 &&
                   one.prefix.contains(address) &&
                   (value | ~(0xffffffffU >> one.prefix.length)) == 0xffffffffU;
        };
        const bool of_subnet = subnet != nullptr && std::ranges::any_of(subnet->prefixes, last_of);
        return value == 0xffffffffU || of_subnet ? std::optional(kBroadcast) : std::nullopt;
    }
    return bytes[0] == 0xff
               ? std::optional(MacAddress{{0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]}})
               : std::nullopt;
}

const BoundSubnet* subnet_with(const LocalPort& port, const IpAddress& ca) {
    for (const BoundSubnet& subnet : port.subnets) {
        if (std::ranges::find(subnet.cas, ca) != subnet.cas.end()) {
            return &subnet;
        }
    }
    return nullptr;
}

class Planner {
  public:
    Planner(const Tuple& tuple, const HostFacts& facts, const SwitchPorts& ports)
        : tuple_(tuple), facts_(facts), ports_(ports) {}

    Result<Packet> plan() {
        const LocalPort* port = facts_.port_named(tuple_.port);
        if (port == nullptr) {
            return Error("no port '" + tuple_.port + "' on this host: see hnvctl ports");
        }
        if (port->ofport == 0) {
            return Error("port " + port->name + " has no interface on this host yet");
        }
        packet_.ttl = tuple_.ttl.value_or(kGuestTtl);
        if (tuple_.outbound) {
            from_guest(*port);
        } else if (Status made = to_guest(*port); !made) {
            return made.error();
        }
        return std::move(packet_);
    }

  private:
    void from_guest(const LocalPort& port) {
        packet_.in_port = port.ofport;
        packet_.sender = "port " + port.name;
        packet_.judges.push_back(port.name);
        packet_.source_mac = port.mac.value_or(kNobody);
        const BoundSubnet* bound = subnet_with(port, tuple_.source);
        if (bound == nullptr) {
            packet_.notes.push_back(tuple_.source.to_string() + " is no address of port " +
                                    port.name);
            bound = port.subnets.empty() ? nullptr : &port.subnets.front();
        }
        if (bound == nullptr) {
            packet_.destination_mac = kNobody;
            return;
        }
        packet_.vlan = bound->vlan;
        packet_.destination_mac = next_mac(bound->vsid);
    }

    // As the guest learns it by ARP.
    MacAddress next_mac(std::uint32_t vsid) {
        const IpAddress& to = tuple_.destination;
        const SubnetFacts* subnet = facts_.subnet(vsid);
        if (const auto group = group_mac(subnet, to)) {
            return *group;
        }
        if (subnet != nullptr && (is_gateway(*subnet, to) || !on_link(*subnet, to))) {
            if (!subnet->routed) {
                packet_.notes.push_back("virtual subnet " + std::to_string(vsid) +
                                        " has no router");
            }
            return facts_.router_mac;
        }
        if (const auto mac = mac_of(vsid, to)) {
            return *mac;
        }
        packet_.notes.push_back("nobody in virtual subnet " + std::to_string(vsid) + " has " +
                                to.to_string() +
                                ": a guest that asks for it gets no answer, and sends nothing");
        return kNobody;
    }

    std::optional<MacAddress> mac_of(std::uint32_t vsid, const IpAddress& ca) {
        for (const LocalPort& port : facts_.ports) {
            const BoundSubnet* bound = subnet_with(port, ca);
            if (bound != nullptr && bound->vsid == vsid && port.mac) {
                packet_.judges.push_back(port.name);
                return port.mac;
            }
        }
        const CaMapping* mapping = facts_.mapping(vsid, ca);
        return mapping == nullptr ? std::nullopt : std::optional(mapping->mac);
    }

    Status to_guest(const LocalPort& port) {
        const BoundSubnet* bound = subnet_with(port, tuple_.destination);
        if (bound == nullptr) {
            packet_.notes.push_back(tuple_.destination.to_string() + " is no address of port " +
                                    port.name);
            bound = port.subnets.empty() ? nullptr : &port.subnets.front();
        }
        if (bound == nullptr) {
            return Error("port " + port.name + " is in no virtual subnet: nobody sends to it");
        }
        if (!tuple_.sender_pa) {
            if (const LocalPort* sender = local_sender(port, bound->vsid)) {
                from_guest(*sender);
                packet_.judges.push_back(port.name);
                return {};
            }
        }
        return by_tunnel(port, bound->vsid);
    }

    [[nodiscard]] std::uint32_t network_of(std::uint32_t vsid) const {
        const SubnetFacts* subnet = facts_.subnet(vsid);
        return subnet == nullptr ? vsid : subnet->network;
    }

    [[nodiscard]] const LocalPort* local_sender(const LocalPort& receiver,
                                                std::uint32_t vsid) const {
        for (const LocalPort& port : facts_.ports) {
            const BoundSubnet* bound = subnet_with(port, tuple_.source);
            if (bound != nullptr && port.ofport != 0 && port.name != receiver.name &&
                network_of(bound->vsid) == network_of(vsid)) {
                return &port;
            }
        }
        return nullptr;
    }

    // The mapping of the packet's source, in any subnet of the virtual network.
    [[nodiscard]] const CaMapping* remote_sender(std::uint32_t vsid) const {
        if (const CaMapping* own = facts_.mapping(vsid, tuple_.source)) {
            return own;
        }
        for (const SubnetFacts& subnet : facts_.subnets) {
            if (subnet.network == network_of(vsid) && subnet.vsid != vsid) {
                if (const CaMapping* found = facts_.mapping(subnet.vsid, tuple_.source)) {
                    return found;
                }
            }
        }
        return nullptr;
    }

    Status by_tunnel(const LocalPort& port, std::uint32_t vsid) {
        const CaMapping* sender = remote_sender(vsid);
        const CaMapping* receiver = facts_.mapping(vsid, tuple_.destination);
        const auto from = tuple_.sender_pa || sender == nullptr ? tuple_.sender_pa : sender->pa;
        if (!from) {
            return Error("nobody in the virtual network has " + tuple_.source.to_string() +
                         "; --from=PA names the host that sends the packet");
        }
        if (sender != nullptr && sender->local && !tuple_.sender_pa) {
            packet_.notes.push_back(tuple_.source.to_string() +
                                    " is mapped to this host, and no port here has it");
        }
        const bool nvgre = receiver != nullptr && receiver->encapsulation == "nvgre";
        const auto tunnel_port = std::ranges::find_if(ports_.ports, [&](const SwitchPort& one) {
            return one.bridge == facts_.bridge && one.type == (nvgre ? "gre" : "vxlan");
        });
        if (tunnel_port == ports_.ports.end()) {
            return Error("the switch has no tunnel port");
        }
        packet_.in_port = tunnel_port->ofport;
        packet_.tunnel = {nvgre ? static_cast<std::uint64_t>(vsid) << 8 : vsid, *from,
                          our_pa(port, receiver, from->is_v4())};
        packet_.sender = "host " + from->to_string() + " by " + (nvgre ? "NVGRE" : "VXLAN");
        packet_.judges.push_back(port.name);
        const bool routed = sender == nullptr || sender->vsid != vsid;
        packet_.source_mac = routed ? facts_.router_mac : sender->mac;
        packet_.destination_mac = port.mac.value_or(kNobody);
        if (receiver != nullptr && subnet_with(port, tuple_.destination) == nullptr) {
            packet_.destination_mac = receiver->mac;
        }
        packet_.ttl -= routed && !tuple_.ttl ? 1 : 0;  // The sending host's router took one.
        return {};
    }

    [[nodiscard]] IpAddress our_pa(const LocalPort& port, const CaMapping* receiver,
                                   bool v4) const {
        if (receiver != nullptr && receiver->pa && receiver->pa->is_v4() == v4) {
            return *receiver->pa;
        }
        if (port.pa && port.pa->is_v4() == v4) {
            return *port.pa;
        }
        for (const std::string& text : facts_.provider_addresses) {
            const auto prefix = IpPrefix::parse(text);
            if (prefix && prefix->address.is_v4() == v4) {
                return prefix->address;
            }
        }
        return v4 ? IpAddress::from_v4(0) : IpAddress{};
    }

    const Tuple& tuple_;
    const HostFacts& facts_;
    const SwitchPorts& ports_;
    Packet packet_;
};

bool is_icmp(std::uint8_t protocol) { return protocol == wire::kIcmp || protocol == wire::kIcmpv6; }

}  // namespace

Result<Tuple> parse_tuple(const Arguments& arguments) {
    const auto& words = arguments.operands;
    constexpr std::size_t kWords = 7;
    if (words.size() != kWords) {
        return Error("a tuple has seven words");
    }
    Tuple tuple;
    tuple.port = words[0];
    const auto protocol = parse_protocol(words[1]);
    const auto source = IpAddress::parse(words[2]);
    const auto source_port = number_in(words[3]);
    const auto destination = IpAddress::parse(words[4]);
    const auto destination_port = number_in(words[5]);
    if (!protocol) {
        return Error("'" + words[1] + "' is not a protocol");
    }
    for (const std::size_t i : {std::size_t{2}, std::size_t{4}}) {
        if (!(i == 2 ? source : destination)) {
            return Error("'" + words[i] + "' is not an address");
        }
    }
    const unsigned limit = is_icmp(*protocol) ? 0xff : 0xffff;
    for (const std::size_t i : {std::size_t{3}, std::size_t{5}}) {
        const auto number = i == 3 ? source_port : destination_port;
        if (!number || *number > limit) {
            return Error("'" + words[i] + "' is not " +
                         (is_icmp(*protocol) ? "an ICMP type or code" : "a port"));
        }
    }
    if (source->is_v4() != destination->is_v4()) {
        return Error("one of " + words[2] + " and " + words[4] + " is IPv4, the other IPv6");
    }
    if (!wire::exists_in(*protocol, source->is_v4())) {
        return Error(words[1] + " is not a protocol of " + (source->is_v4() ? "IPv4" : "IPv6"));
    }
    if (words[6] != "in" && words[6] != "out") {
        return Error("'" + words[6] + "' is neither in nor out");
    }
    tuple.protocol = *protocol;
    tuple.source = *source;
    tuple.source_port = static_cast<std::uint16_t>(*source_port);
    tuple.destination = *destination;
    tuple.destination_port = static_cast<std::uint16_t>(*destination_port);
    tuple.outbound = words[6] == "out";
    tuple.ttl = arguments.ttl;
    tuple.sender_pa = arguments.sender_pa;
    if (tuple.sender_pa && tuple.outbound) {
        return Error("--from is for packets that come in");
    }
    if (Status state = read_state(arguments.ct_state.value_or(""), tuple); !state) {
        return state.error();
    }
    return tuple;
}

Result<Packet> plan_packet(const Tuple& tuple, const HostFacts& facts, const SwitchPorts& ports) {
    return Planner(tuple, facts, ports).plan();
}

std::string flow_text(const Tuple& tuple, const Packet& packet) {
    std::string text = "in_port=" + std::to_string(packet.in_port);
    const auto add = [&text](std::string_view name, const std::string& value) {
        text += "," + std::string(name) + "=" + value;
    };
    if (packet.tunnel) {
        const bool v4 = packet.tunnel->source.is_v4();
        add("tun_id", std::to_string(packet.tunnel->key));
        add(v4 ? "tun_src" : "tun_ipv6_src", packet.tunnel->source.to_string());
        add(v4 ? "tun_dst" : "tun_ipv6_dst", packet.tunnel->destination.to_string());
    }
    add("dl_src", packet.source_mac.to_string());
    add("dl_dst", packet.destination_mac.to_string());
    if (packet.vlan != 0) {
        add("vlan_tci", std::to_string(0x1000U | packet.vlan));
    }
    const bool v4 = tuple.source.is_v4();
    add("dl_type", v4 ? "0x0800" : "0x86dd");
    add("nw_proto", std::to_string(tuple.protocol));
    add(v4 ? "nw_src" : "ipv6_src", tuple.source.to_string());
    add(v4 ? "nw_dst" : "ipv6_dst", tuple.destination.to_string());
    add("nw_ttl", std::to_string(packet.ttl));
    if (const ProtocolName* known = protocol_numbered(tuple.protocol)) {
        const bool icmp = is_icmp(tuple.protocol);
        add(std::string(known->field) + (icmp ? "_type" : "_src"),
            std::to_string(tuple.source_port));
        add(std::string(known->field) + (icmp ? "_code" : "_dst"),
            std::to_string(tuple.destination_port));
    }
    return text;
}

std::string connection_text(const Tuple& tuple, std::uint32_t mark) {
    if (!tuple.established) {
        return {};
    }
    const bool v4 = tuple.source.is_v4();
    const IpAddress& first = tuple.reply ? tuple.destination : tuple.source;
    const IpAddress& second = tuple.reply ? tuple.source : tuple.destination;
    const auto first_port = tuple.reply ? tuple.destination_port : tuple.source_port;
    const auto second_port = tuple.reply ? tuple.source_port : tuple.destination_port;
    const std::string family = v4 ? "ct_nw" : "ct_ipv6";
    return ",ct_state=trk|est" + std::string(tuple.reply ? "|rpl" : "") +
           ",ct_mark=" + std::to_string(mark) + ",ct_nw_proto=" + std::to_string(tuple.protocol) +
           "," + family + "_src=" + first.to_string() + "," + family +
           "_dst=" + second.to_string() + ",ct_tp_src=" + std::to_string(first_port) +
           ",ct_tp_dst=" + std::to_string(second_port);
}

std::string tuple_words(const Tuple& tuple) {
    const ProtocolName* known = protocol_numbered(tuple.protocol);
    std::string name =
        known == nullptr ? "protocol " + std::to_string(tuple.protocol) : std::string(known->name);
    if (known != nullptr) {
        std::ranges::transform(name, name.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        });
    }
    const std::string from = tuple.source.to_string();
    const std::string to = tuple.destination.to_string();
    if (is_icmp(tuple.protocol)) {
        return name + " type " + std::to_string(tuple.source_port) + " code " +
               std::to_string(tuple.destination_port) + " " + from + " -> " + to;
    }
    const auto end = [&](const std::string& address, std::uint16_t port) {
        const std::string host = tuple.source.is_v4() ? address : "[" + address + "]";
        return wire::has_ports(tuple.protocol) ? host + ":" + std::to_string(port) : address;
    };
    return name + " " + end(from, tuple.source_port) + " -> " + end(to, tuple.destination_port);
}

}  // namespace hnv::cli
