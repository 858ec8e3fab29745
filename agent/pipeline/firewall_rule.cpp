#include "pipeline/firewall_rule.h"

#include "ovs-integration/wire.h"

#include <array>

namespace hnv::pipeline {

using policy::RuleSpec;

namespace {

// A list as options: empty means "any", said by one nullopt.
template <typename T>
[[nodiscard]] std::vector<std::optional<T>> options(const std::vector<T>& list) {
    if (list.empty()) {
        return {std::nullopt};
    }
    return {list.begin(), list.end()};
}

[[nodiscard]] std::vector<std::optional<PortMask>> port_options(
    const std::vector<policy::PortRange>& ranges) {
    std::vector<PortMask> masks;
    for (const policy::PortRange& range : ranges) {
        const auto some = masks_of(range);
        masks.insert(masks.end(), some.begin(), some.end());
    }
    return options(masks);
}

[[nodiscard]] std::vector<std::optional<std::uint8_t>> protocol_options(const RuleSpec& rule) {
    if (rule.source_ports.empty() && rule.destination_ports.empty()) {
        return options(rule.protocols);
    }
    std::vector<std::optional<std::uint8_t>> protocols;
    const std::vector<std::uint8_t> all{wire::kTcp, wire::kUdp, wire::kSctp};
    for (const std::uint8_t protocol : rule.protocols.empty() ? all : rule.protocols) {
        if (wire::has_ports(protocol)) {
            protocols.emplace_back(protocol);
        }
    }
    return protocols;
}

[[nodiscard]] bool of_family(const std::optional<IpPrefix>& prefix, std::uint16_t family) {
    return !prefix || prefix->address.is_v4() == (family == wire::kIpv4);
}

}  // namespace

std::vector<RuleMatch> expand(const RuleSpec& rule) {
    if (rule.matches_all()) {
        return {RuleMatch{}};
    }
    std::vector<RuleMatch> matches;
    const bool has_ports = !rule.source_ports.empty() || !rule.destination_ports.empty();
    const auto source_ports = port_options(rule.source_ports);
    const auto destination_ports = port_options(rule.destination_ports);
    for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
        for (const auto& protocol : protocol_options(rule)) {
            if (protocol && !wire::exists_in(*protocol, family == wire::kIpv4)) {
                continue;
            }
            for (const auto& source : options(rule.sources)) {
                for (const auto& destination : options(rule.destinations)) {
                    if (!of_family(source, family) || !of_family(destination, family)) {
                        continue;
                    }
                    if (rule.action == policy::RuleAction::Allow && has_ports) {
                        matches.push_back({family, protocol, source, destination, std::nullopt,
                                           std::nullopt, true});
                    }
                    for (const auto& source_port : source_ports) {
                        for (const auto& destination_port : destination_ports) {
                            matches.push_back({family, protocol, source, destination, source_port,
                                               destination_port, false});
                        }
                    }
                }
            }
        }
    }
    return matches;
}

void apply(const RuleMatch& match, StageFlow& flow) {
    if (match.eth_type != 0) {
        flow->match_eth_type(match.eth_type);
    }
    if (match.protocol) {
        flow->match_ip_proto(*match.protocol);
    }
    if (match.source) {
        flow->match_ip_src(*match.source);
    }
    if (match.destination) {
        flow->match_ip_dst(*match.destination);
    }
    if (match.has_ports()) {
        flow->match_fragment(ovs::Fragment::No);
    }
    if (match.source_port) {
        flow->match_tp_src(match.source_port->value, match.source_port->mask);
    }
    if (match.destination_port) {
        flow->match_tp_dst(match.destination_port->value, match.destination_port->mask);
    }
}

void apply_to_connection(const RuleMatch& match, StageFlow& flow) {
    if (match.eth_type != 0) {
        flow->match_eth_type(match.eth_type);
    }
    if (match.protocol) {
        flow->match_ct_ip_proto(*match.protocol);
    }
    if (match.source) {
        flow->match_ct_ip_src(*match.source);
    }
    if (match.destination) {
        flow->match_ct_ip_dst(*match.destination);
    }
    if (match.source_port) {
        flow->match_ct_tp_src(match.source_port->value, match.source_port->mask);
    }
    if (match.destination_port) {
        flow->match_ct_tp_dst(match.destination_port->value, match.destination_port->mask);
    }
    if (match.has_ports()) {
        flow->match_fragment(ovs::Fragment::NotLater);
    } else if (match.later_fragment) {
        flow->match_fragment(ovs::Fragment::Later);
    }
}

}  // namespace hnv::pipeline
