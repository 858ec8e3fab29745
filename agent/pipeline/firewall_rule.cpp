#include "pipeline/firewall_rule.h"

#include "ovs-integration/wire.h"

namespace hnv::pipeline {

using policy::RuleSpec;

namespace {

// Services are two dimensions, sources and destinations, when they have more combinations.
constexpr std::size_t kMaxServices = 64;

[[nodiscard]] std::vector<std::uint8_t> protocols_of(const RuleSpec& rule, std::uint16_t family) {
    std::vector<std::uint8_t> protocols = rule.protocols;
    const bool has_ports = !rule.source_ports.empty() || !rule.destination_ports.empty();
    if (protocols.empty() && has_ports) {
        protocols = {wire::kTcp, wire::kUdp, wire::kSctp};
    }
    std::erase_if(protocols, [&](std::uint8_t protocol) {
        return !wire::exists_in(protocol, family == wire::kIpv4) ||
               (has_ports && !wire::has_ports(protocol));
    });
    return protocols;
}

// A list as options: empty means "any", said by one nullopt.
//
// An alternative that is everything stands alone, here and in Dimensions::addresses(): in two
// dimensions it would be one and the same match.
[[nodiscard]] std::vector<std::optional<PortMask>> port_options(
    const std::vector<policy::PortRange>& ranges) {
    if (ranges.empty()) {
        return {std::nullopt};
    }
    std::vector<std::optional<PortMask>> masks;
    for (const policy::PortRange& range : ranges) {
        const auto some = masks_of(range);
        if (some.front().mask == 0) {
            return {some.front()};  // All ports, whatever else is in the list.
        }
        masks.insert(masks.end(), some.begin(), some.end());
    }
    return masks;
}

class Dimensions {
  public:
    Dimensions(const RuleSpec& rule, std::uint16_t family, Verdict by)
        : rule_(rule), protocols_(protocols_of(rule, family)) {
        out_.eth_type = family;
        later_fragments_ =
            by == Verdict::ByConnection && has_ports() && rule.action == policy::RuleAction::Allow;
    }

    // nullopt: no packet of the family can match.
    [[nodiscard]] std::optional<RuleDimensions> take() {
        if (!addresses(rule_.sources, &RuleMatch::source) ||
            !addresses(rule_.destinations, &RuleMatch::destination)) {
            return std::nullopt;
        }
        if (protocols_.empty()) {
            const bool any = rule_.protocols.empty() && !has_ports();
            return any ? std::optional(std::move(out_)) : std::nullopt;
        }
        const auto source_ports = port_options(rule_.source_ports);
        const auto destination_ports = port_options(rule_.destination_ports);
        if (source_ports.size() * destination_ports.size() > kMaxServices) {
            services(source_ports, {std::nullopt});
            services({std::nullopt}, destination_ports);
        } else {
            services(source_ports, destination_ports);
        }
        return std::move(out_);
    }

  private:
    using PortOptions = std::vector<std::optional<PortMask>>;

    [[nodiscard]] bool has_ports() const {
        return !rule_.source_ports.empty() || !rule_.destination_ports.empty();
    }

    [[nodiscard]] RuleMatch of_family() const {
        RuleMatch match;
        match.eth_type = out_.eth_type;
        return match;
    }

    [[nodiscard]] bool addresses(const std::vector<IpPrefix>& prefixes,
                                 std::optional<IpPrefix> RuleMatch::*field) {
        if (prefixes.empty()) {
            return true;
        }
        std::vector<RuleMatch> alternatives;
        for (const IpPrefix& prefix : prefixes) {
            if (prefix.address.is_v4() == (out_.eth_type == wire::kIpv4)) {
                if (prefix.length == 0) {
                    return true;  // Everything of the family: nothing is asked.
                }
                alternatives.push_back(of_family());
                alternatives.back().*field = prefix;
            }
        }
        if (alternatives.empty()) {
            return false;
        }
        out_.dimensions.push_back(std::move(alternatives));
        return true;
    }

    void services(const PortOptions& source_ports, const PortOptions& destination_ports) {
        std::vector<RuleMatch> alternatives;
        for (const std::uint8_t protocol : protocols_) {
            RuleMatch match = of_family();
            match.protocol = protocol;
            if (later_fragments_) {
                match.later_fragment = true;
                alternatives.push_back(match);
                match.later_fragment = false;
            }
            for (const auto& source_port : source_ports) {
                for (const auto& destination_port : destination_ports) {
                    match.source_port = source_port;
                    match.destination_port = destination_port;
                    alternatives.push_back(match);
                }
            }
        }
        out_.dimensions.push_back(std::move(alternatives));
    }

    const RuleSpec& rule_;
    const std::vector<std::uint8_t> protocols_;
    bool later_fragments_ = false;
    RuleDimensions out_;
};

// Both at once.
[[nodiscard]] RuleMatch joined(RuleMatch match, const RuleMatch& more) {
    match.eth_type = more.eth_type;
    const auto take = [](auto& field, const auto& other) {
        if (other) {
            field = other;
        }
    };
    take(match.protocol, more.protocol);
    take(match.source, more.source);
    take(match.destination, more.destination);
    take(match.source_port, more.source_port);
    take(match.destination_port, more.destination_port);
    match.later_fragment = match.later_fragment || more.later_fragment;
    return match;
}

}  // namespace

std::size_t RuleDimensions::product() const {
    std::size_t count = 1;
    for (const auto& alternatives : dimensions) {
        count *= alternatives.size();
    }
    return count;
}

std::size_t RuleDimensions::sum() const {
    std::size_t count = 0;
    for (const auto& alternatives : dimensions) {
        count += alternatives.size();
    }
    return count;
}

std::vector<RuleDimensions> dimensions_of(const RuleSpec& rule, Verdict by) {
    if (rule.matches_all()) {
        return {RuleDimensions{}};
    }
    std::vector<RuleDimensions> all;
    for (const std::uint16_t family : {wire::kIpv4, wire::kIpv6}) {
        if (auto dimensions = Dimensions(rule, family, by).take()) {
            all.push_back(std::move(*dimensions));
        }
    }
    return all;
}

std::vector<RuleMatch> combine(const RuleDimensions& of) {
    RuleMatch start;
    start.eth_type = of.eth_type;
    std::vector<RuleMatch> matches{start};
    for (const auto& alternatives : of.dimensions) {
        std::vector<RuleMatch> longer;
        longer.reserve(matches.size() * alternatives.size());
        for (const RuleMatch& match : matches) {
            for (const RuleMatch& alternative : alternatives) {
                // Of a packet of one protocol, whole or not, in two dimensions of services.
                const bool contrary = match.protocol && alternative.protocol &&
                                      (match.protocol != alternative.protocol ||
                                       match.later_fragment != alternative.later_fragment);
                if (!contrary) {
                    longer.push_back(joined(match, alternative));
                }
            }
        }
        matches = std::move(longer);
    }
    return matches;
}

std::vector<RuleMatch> expand(const RuleSpec& rule) {
    std::vector<RuleMatch> matches;
    for (const RuleDimensions& dimensions : dimensions_of(rule, Verdict::ByPacket)) {
        const auto some = combine(dimensions);
        matches.insert(matches.end(), some.begin(), some.end());
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
