#include "cli/flow_words.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cli/text_list.h"
#include "ovs-integration/address.h"
#include "pipeline/layers.h"

namespace hnv::cli {
namespace {

using pipeline::Reg;

struct Said {
    std::string_view key;
    std::string_view words;
};

// Fields whose value is told behind some words.
constexpr std::array kSaid{
    Said{"nw_src", "from"},
    Said{"ipv6_src", "from"},
    Said{"nw_dst", "to"},
    Said{"ipv6_dst", "to"},
    Said{"dl_src", "from MAC"},
    Said{"dl_dst", "to MAC"},
    Said{"tun_src", "outer source"},
    Said{"tun_ipv6_src", "outer source"},
    Said{"tun_dst", "outer destination"},
    Said{"tun_ipv6_dst", "outer destination"},
    Said{"nw_proto", "protocol"},
    Said{"nw_ttl", "TTL"},
    Said{"icmp_type", "type"},
    Said{"icmpv6_type", "type"},
    Said{"icmp_code", "code"},
    Said{"icmpv6_code", "code"},
    Said{"arp_op", "operation"},
    Said{"arp_spa", "sender"},
    Said{"arp_tpa", "asked for"},
    Said{"arp_sha", "sender's MAC"},
    Said{"nd_target", "asked for"},
    Said{"dl_vlan", "VLAN"},
    Said{"ct_nw_src", "connection from"},
    Said{"ct_ipv6_src", "connection from"},
    Said{"ct_nw_dst", "connection to"},
    Said{"ct_ipv6_dst", "connection to"},
    Said{"ct_nw_proto", "connection's protocol"},
};

constexpr std::array kProtocols{
    Said{"ip", "IPv4"},   Said{"ipv6", "IPv6"},    Said{"tcp", "TCP"},   Said{"tcp6", "TCPv6"},
    Said{"udp", "UDP"},   Said{"udp6", "UDPv6"},   Said{"icmp", "ICMP"}, Said{"icmp6", "ICMPv6"},
    Said{"sctp", "SCTP"}, Said{"sctp6", "SCTPv6"}, Said{"arp", "ARP"},
};

constexpr std::array kPorts{
    Said{"tp_src", "from port"},
    Said{"tcp_src", "from port"},
    Said{"udp_src", "from port"},
    Said{"sctp_src", "from port"},
    Said{"tp_dst", "to port"},
    Said{"tcp_dst", "to port"},
    Said{"udp_dst", "to port"},
    Said{"sctp_dst", "to port"},
    Said{"ct_tp_src", "connection from port"},
    Said{"ct_tp_dst", "connection to port"},
};

template <std::size_t N>
std::optional<std::string_view> said(const std::array<Said, N>& list, std::string_view key) {
    const auto* const found = std::ranges::find(list, key, &Said::key);
    return found == list.end() ? std::nullopt : std::optional(found->words);
}

std::string joined(std::string_view words, std::string_view value) {
    return std::string(words) + " " + std::string(value);
}

// "0x50/0xfff8" → "80-87"; a value as it is when it is no range.
std::string range_words(std::string_view value) {
    const auto [low_text, mask_text] = masked(value);
    const auto low = number_in(low_text);
    const auto mask = number_in(mask_text);
    if (!low || !mask) {
        return low ? std::to_string(*low) : std::string(value);
    }
    const std::uint64_t open = ~*mask & 0xffffU;
    if ((open & (open + 1)) != 0) {  // Not the low bits alone.
        return std::string(value);
    }
    return open == 0 ? std::to_string(*low)
                     : std::to_string(*low) + "-" + std::to_string(*low | open);
}

std::string state_words(std::string_view value) {
    struct State {
        std::string_view flag;
        std::string_view word;
    };
    constexpr std::array kStates{State{"+new", "new connection"},
                                 State{"+est", "known connection"},
                                 State{"+rpl", "reply"},
                                 State{"-rpl", "not a reply"},
                                 State{"+rel", "related to a connection"},
                                 State{"+inv", "fits no connection"}};
    std::string words;
    for (const auto& [flag, word] : kStates) {
        if (value.find(flag) != std::string_view::npos) {
            words += (words.empty() ? "" : ", ") + std::string(word);
        }
    }
    return words;
}

std::string encapsulation_words(std::uint64_t code) {
    switch (static_cast<pipeline::EncapsulationCode>(code)) {
        case pipeline::EncapsulationCode::VxlanOverIpv4:
            return "VXLAN over IPv4";
        case pipeline::EncapsulationCode::VxlanOverIpv6:
            return "VXLAN over IPv6";
        case pipeline::EncapsulationCode::NvgreOverIpv4:
            return "NVGRE over IPv4";
        case pipeline::EncapsulationCode::NvgreOverIpv6:
            return "NVGRE over IPv6";
    }
    return "encapsulation " + std::to_string(code);
}

std::string verdict_words(std::uint64_t value) {
    switch (static_cast<pipeline::Verdict>(value)) {
        case pipeline::Verdict::None:
            return "not judged";
        case pipeline::Verdict::ByPacket:
            return {};
        case pipeline::Verdict::ByConnection:
            return "by its connection";
        case pipeline::Verdict::Allowed:
            return "allowed";
    }
    return "verdict " + std::to_string(value);
}

std::string vlan_words(std::uint64_t tci) {
    return tci == 0 ? "untagged" : "VLAN " + std::to_string(tci & 0xfffU);
}

// "reg2" → 2.
std::optional<unsigned> register_in(std::string_view key) {
    constexpr std::string_view kReg = "reg";
    if (!key.starts_with(kReg)) {
        return std::nullopt;
    }
    const auto number = number_in(key.substr(kReg.size()));
    return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

// What a register's value means; nothing of a register that is not known here.
std::optional<std::string> register_words(unsigned reg, std::uint64_t value, const Names& names,
                                          std::uint32_t about) {
    const auto port = static_cast<std::uint32_t>(value);
    switch (static_cast<Reg>(reg)) {
        case Reg::Vsid:
            return "VSID " + std::to_string(value);
        case Reg::Source:
            return value == 0      ? "out of a tunnel"
                   : port == about ? std::string()
                                   : "sent by " + names.port(port);
        case Reg::Destination:
            return port == about ? std::string() : "for " + names.port(port);
        case Reg::Verdict:
            return verdict_words(value);
        case Reg::Judged:
            return port == about ? std::string() : "of " + names.port(port);
        case Reg::RuleGroup:
            return std::string();  // A number of the agent's own.
        case Reg::Encapsulation:
            return encapsulation_words(value);
        case Reg::SourceVlan:
            return "sent " + vlan_words(value);
        case Reg::DestinationVlan:
            return "to " + vlan_words(value);
        case Reg::Routed:
            return std::string(value == 0 ? "not routed" : "routed");
        case Reg::Reason:
            return std::string(pipeline::why_icmp_error(port));
        case Reg::Mtu:
            return "MTU " + std::to_string(value);
        case Reg::Backend:
            return "backend " + std::to_string(value);
        case Reg::Part:
            return value == 0 ? std::string() : "part " + std::to_string(value);
        default:
            return std::nullopt;
    }
}

std::string vsid_of_key(std::string_view value) {
    const auto [key, mask] = masked(value);
    const auto number = number_in(key);
    if (!number) {
        return std::string(value);
    }
    return std::to_string(mask.empty() ? *number : *number >> 8);
}

class Condition {
  public:
    Condition(const Names& names, std::uint32_t about) : names_(names), about_(about) {}

    void item(std::string_view item) {
        const auto [key, value] = pair_of(item);
        if (const auto protocol = said(kProtocols, item)) {
            add(std::string(*protocol));
        } else if (const auto words = said(kSaid, key)) {
            add(joined(*words, value));
        } else if (const auto port = said(kPorts, key)) {
            add(joined(*port, range_words(value)));
        } else if (!own_field(key, value)) {
            add(std::string(item));
        }
    }

    [[nodiscard]] std::string text() const { return text_.empty() ? "any" : text_; }

  private:
    void add(const std::string& words) {
        if (!words.empty()) {
            text_ += (text_.empty() ? "" : ", ") + words;
        }
    }

    bool own_field(std::string_view key, std::string_view value) {
        const auto number = number_in(value);
        if (const auto reg = register_in(key); reg && number) {
            const auto words = register_words(*reg, *number, names_, about_);
            if (words) {
                add(*words);
            }
            return words.has_value();
        }
        if (key == "in_port" && number) {
            const auto port = static_cast<std::uint32_t>(*number);
            add(port == about_ ? "" : "in by " + names_.port(port));
        } else if (key == "metadata" && number) {
            add("network " + names_.network(static_cast<std::uint32_t>(*number)));
        } else if (key == "tun_id") {
            add("VSID " + vsid_of_key(value));
        } else if (key == "ct_state") {
            add(state_words(value));
        } else if (key == "nw_frag") {
            add(value == "no" ? "" : "fragments: " + std::string(value));
        } else if (key == "vlan_tci" && value.starts_with("0x0000")) {
            add("untagged");
        } else {
            // The first tells users of a zone apart, the other parts of a list: nobody else's
            // business.
            return key == "ct_mark" || key == "conj_id";
        }
        return true;
    }

    const Names& names_;
    std::uint32_t about_;
    std::string text_;
};

std::string set_words(std::string_view value, std::string_view field, const Names& names) {
    if (const auto reg = register_in(field)) {
        const auto number = number_in(value);
        switch (static_cast<Reg>(*reg)) {
            case Reg::Source:
            case Reg::MarkV4:
            case Reg::MarkV6:
            case Reg::Mtu:
            case Reg::Routed:
            case Reg::Part:
            case Reg::Judged:
            case Reg::RuleGroup:
                return {};
            default:
                break;
        }
        const auto words = number ? register_words(*reg, *number, names, 0) : std::nullopt;
        return words.value_or("set " + std::string(field) + " " + std::string(value));
    }
    if (field == "metadata" || field == "tun_id" || field == "in_port" || field == "vlan_tci" ||
        field == "ct_mark") {
        return {};
    }
    struct Field {
        std::string_view name;
        std::string_view words;
    };
    constexpr std::array kFields{Field{"eth_dst", "to MAC"},     Field{"eth_src", "from MAC"},
                                 Field{"tun_dst", "to PA"},      Field{"tun_ipv6_dst", "to PA"},
                                 Field{"ip_src", "source"},      Field{"ipv6_src", "source"},
                                 Field{"ip_dst", "destination"}, Field{"ipv6_dst", "destination"},
                                 Field{"nw_ttl", "TTL"},         Field{"ip_ttl", "TTL"}};
    const auto* const found = std::ranges::find(kFields, field, &Field::name);
    return joined(found == kFields.end() ? field : found->words, value);
}

std::string to_table(std::string_view table) {
    const auto number = number_in(table);
    return "to " + (number ? pipeline::layer_name(static_cast<unsigned>(*number))
                           : "table " + std::string(table));
}

std::string call_words(const Call& call, std::string_view action) {
    if (call.name == "resubmit") {
        const auto parts = call.argument.find(',');
        return parts == std::string_view::npos ? std::string(action)
                                               : to_table(call.argument.substr(parts + 1));
    }
    if (call.name == "ct") {
        const bool commits = call.argument.find("commit") != std::string_view::npos;
        const bool translates = call.argument.find("nat") != std::string_view::npos;
        return std::string(commits ? "remember the connection" : "track the connection") +
               (translates ? " and translate" : "");
    }
    if (call.name == "controller") {
        const std::string list = std::string(call.argument) + ",";
        const auto userdata = between(list, "userdata=", ",");
        const auto kind = number_in("0x" + std::string(userdata.value_or("0").substr(0, 2)));
        return std::string(pipeline::what_is_asked(static_cast<unsigned>(kind.value_or(0))));
    }
    if (call.name == "check_pkt_larger") {
        return "longer than " + std::string(call.argument.substr(0, call.argument.find(')'))) +
               " bytes?";
    }
    return std::string(action);
}

}  // namespace

std::string Names::port(std::uint32_t ofport) const {
    const auto found = ports.find(ofport);
    return found == ports.end() ? "port " + std::to_string(ofport) : found->second;
}

std::string Names::network(std::uint32_t key) const {
    const auto found = networks.find(key);
    return found == networks.end() ? std::to_string(key) : found->second;
}

FlowText text_of(const ovs::Flow& flow) {
    const std::string text = ovs::to_text(flow);
    constexpr std::string_view kActions = "actions=";
    const std::size_t at = text.find(kActions);
    std::string_view head = std::string_view(text).substr(0, at);
    FlowText result;
    result.actions = at == std::string::npos ? "" : text.substr(at + kActions.size());
    for (const std::string_view item : split_list(head)) {
        if (item.starts_with("table=") || item.starts_with("priority=")) {
            continue;
        }
        result.match += (result.match.empty() ? "" : ",") + std::string(item);
    }
    return result;
}

std::string condition_words(std::string_view match, const Names& names, std::uint32_t about) {
    Condition condition(names, about);
    for (const std::string_view item : split_list(match)) {
        condition.item(item);
    }
    return condition.text();
}

std::string action_word(std::string_view action, const Names& names) {
    constexpr std::string_view kSet = "set_field:";
    constexpr std::string_view kGoto = "goto_table:";
    if (action.starts_with(kSet)) {
        const std::size_t arrow = action.find("->");
        return arrow == std::string_view::npos
                   ? std::string(action)
                   : set_words(action.substr(kSet.size(), arrow - kSet.size()),
                               action.substr(arrow + 2), names);
    }
    if (action.starts_with(kGoto)) {
        return to_table(action.substr(kGoto.size()));
    }
    if (action.starts_with("output:")) {
        const auto number = number_in(action.substr(std::string_view("output:").size()));
        return number ? "out by " + names.port(static_cast<std::uint32_t>(*number)) : "out";
    }
    if (action == "IN_PORT") {
        return "back to the sender";
    }
    if (action == "dec_ttl") {
        return "TTL - 1";
    }
    if (action == "strip_vlan" || action == "pop_vlan" || action == "thaw" ||
        action.starts_with("Resuming from") || action.starts_with("move:") ||
        action.starts_with("load:")) {
        return {};
    }
    if (action.starts_with("multipath(")) {
        return "a backend by the 5-tuple";
    }
    const Call call = call_of(action);
    return call.has_brackets ? call_words(call, action) : std::string(action);
}

std::string action_list_words(std::string_view actions, const Names& names) {
    std::string text;
    for (const std::string_view action : split_list(actions)) {
        const std::string word = action_word(action, names);
        if (!word.empty()) {
            text += (text.empty() ? "" : ", ") + word;
        }
    }
    return text.empty() ? "drop" : text;
}

std::string action_list_words(unsigned table, std::string_view match, std::string_view actions,
                              const Names& names) {
    std::string text;
    const std::string onward = "to " + pipeline::layer_name(table);
    const auto list = split_list(actions);
    for (const std::string_view action : list) {
        // Behind an action that does something "drop" only says that nothing follows.
        const std::string word =
            action == "drop" && list.size() > 1 ? std::string() : action_word(action, names);
        if (!word.empty() && word != onward) {
            text += (text.empty() ? "" : ", ") + word;
        }
    }
    const bool drops = list.empty() || (list.size() == 1 && list.front() == "drop");
    if (text.empty()) {
        text = drops ? "drop" : "pass on";
    }
    const bool of_port = !match.empty() && family_of(match).starts_with("IP");
    if (pipeline::judges_without_rules(table) && of_port &&
        actions.find("ct(") == std::string::npos) {
        text += drops ? " (the rules block everything)" : " (the rules allow everything)";
    }
    return text;
}

std::string_view family_of(std::string_view match) {
    for (const std::string_view item : split_list(match)) {
        for (const std::string_view v4 : {"ip", "tcp", "udp", "icmp", "sctp"}) {
            if (item == v4) {
                return "IPv4";
            }
        }
        for (const std::string_view v6 : {"ipv6", "tcp6", "udp6", "icmp6", "sctp6"}) {
            if (item == v6) {
                return "IPv6";
            }
        }
        if (item == "arp") {
            return "ARP";
        }
    }
    return "any";
}

std::string owner_words(std::uint64_t cookie, const Names& names) {
    const std::string_view kind = pipeline::owner_kind(cookie);
    if (kind.empty() || kind == "host") {
        return std::string(kind);
    }
    const std::uint64_t tell = pipeline::tell_in(cookie);
    const auto named = [&](const std::map<std::uint64_t, std::string>& list) {
        const auto found = list.find(tell);
        return found == list.end() ? std::string("?") : found->second;
    };
    if (kind == "port") {
        return joined(kind, named(names.port_tells));
    }
    if (kind == "mac") {
        return joined(kind, MacAddress::from_bits(tell).to_string());
    }
    if (kind == "vip") {
        return joined(kind, named(names.address_tells));
    }
    if (kind == "subnet") {
        return joined(kind, std::to_string(tell));
    }
    if (kind == "peer" || kind == "router") {
        return joined(kind, names.network(static_cast<std::uint32_t>(tell)));
    }
    if (pipeline::owned_by_rule(cookie)) {
        const auto rule = names.rule_tells.find(tell);
        // The parts of long lists have no rule of their own.
        return rule == names.rule_tells.end() ? "rules" : "rule " + rule->second;
    }
    return std::string(kind);
}

bool passes_on(std::string_view match, const std::vector<std::string>& actions) {
    return match.empty() && actions.size() == 1 && actions.front().starts_with("goto_table:");
}

}  // namespace hnv::cli
