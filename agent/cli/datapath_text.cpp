#include "cli/datapath_text.h"

#include <algorithm>

#include "cli/text_list.h"

namespace hnv::cli {
namespace {

constexpr unsigned kMaxDepth = 32;  // Of actions within actions.

template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        visit(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

// "    app 3/6: (system)"; a port that its datapath does not have is "app 3/none".
std::optional<SwitchPort> port_of(std::string_view line) {
    line = trimmed(line);
    const std::size_t slash = line.find('/');
    const std::size_t colon = line.find(": (");
    const std::size_t blank = line.rfind(' ', slash);
    if (slash == std::string_view::npos || colon == std::string_view::npos || slash > colon ||
        blank == std::string_view::npos) {
        return std::nullopt;
    }
    const auto ofport = number_in(line.substr(blank + 1, slash - blank - 1));
    if (!ofport) {
        return std::nullopt;
    }
    SwitchPort port;
    port.name = line.substr(0, blank);
    port.ofport = static_cast<std::uint32_t>(*ofport);
    port.datapath_port = line.substr(slash + 1, colon - slash - 1);
    const std::string_view about = line.substr(colon + 3);
    port.type = about.substr(0, about.find_first_of(":)"));
    return port;
}

std::string_view argument_of(std::string_view list, std::string_view name) {
    for (const std::string_view item : split_list(list)) {
        const Call call = call_of(item);
        if (call.name == name) {
            return call.argument;
        }
    }
    return {};
}

std::string_view value_of(std::string_view list, std::string_view name) {
    for (const std::string_view item : split_list(list)) {
        const auto [key, value] = pair_of(item);
        if (key == name) {
            return value;
        }
    }
    return {};
}

// tnl_push(tnl_port(…),header(size=…,type=…,eth(…),ipv4(…),udp(…),vxlan(…)),out_port(…))
Emission pushed(std::string_view argument) {
    Emission tunnel{Emission::Kind::Tunnel, {}, {}, 0, {}, {}, 0, {}};
    tunnel.encapsulation = argument_of(argument, "tnl_port");
    const std::string_view header = argument_of(argument, "header");
    std::string_view ip = argument_of(header, "ipv4");
    ip = ip.empty() ? argument_of(header, "ipv6") : ip;
    tunnel.source = IpAddress::parse(value_of(ip, "src"));
    tunnel.target = IpAddress::parse(value_of(ip, "dst"));
    if (const auto vxlan = argument_of(header, "vxlan"); !vxlan.empty()) {
        tunnel.encapsulation = "vxlan";
        tunnel.key = number_in(value_of(vxlan, "vni")).value_or(0);
    } else if (const auto gre = argument_of(header, "gre"); !gre.empty()) {
        tunnel.encapsulation = "gre";
        tunnel.key = number_in(value_of(gre, "key")).value_or(0);
    }
    return tunnel;
}

// set(tunnel(…)), of a datapath that encapsulates at its tunnel port.
Emission told(std::string_view tunnel_fields) {
    Emission tunnel{Emission::Kind::Tunnel, {}, {}, 0, {}, {}, 0, {}};
    tunnel.key = number_in(value_of(tunnel_fields, "tun_id")).value_or(0);
    std::string_view target = value_of(tunnel_fields, "dst");
    target = target.empty() ? value_of(tunnel_fields, "ipv6_dst") : target;
    tunnel.target = IpAddress::parse(target);
    return tunnel;
}

class Walk {
  public:
    std::vector<Emission> found;

    void list(std::string_view actions, std::optional<Emission> tunnel, unsigned depth) {
        if (depth > kMaxDepth) {
            return;
        }
        bool pushed_here = false;  // What is put out next is the packet in its tunnel.
        for (const std::string_view item : split_list(actions)) {
            const Call call = call_of(item);
            if (!call.has_brackets) {
                if (item != "drop" && !pushed_here) {
                    output(item, tunnel);
                }
            } else if (call.name == "tnl_push") {
                add(pushed(call.argument));
                pushed_here = true;
            } else if (call.name == "set") {
                if (const Call field = call_of(call.argument); field.name == "tunnel") {
                    tunnel = told(field.argument);
                }
            } else {
                nested(call, tunnel, depth);
            }
        }
    }

  private:
    void add(Emission emission) {
        emission.mtu = mtu_;
        found.push_back(std::move(emission));
    }

    void output(std::string_view port, const std::optional<Emission>& tunnel) {
        Emission emission = tunnel.value_or(Emission{});
        if (tunnel) {
            emission.encapsulation = port;
        } else {
            emission.port = port;
        }
        add(std::move(emission));
    }

    void nested(const Call& call, const std::optional<Emission>& tunnel, unsigned depth) {
        if (call.name == "clone") {
            list(call.argument, tunnel, depth + 1);
        } else if (call.name == "sample") {
            list(argument_of(call.argument, "actions"), tunnel, depth + 1);
        } else if (call.name == "check_pkt_len") {
            const auto before = mtu_;
            mtu_ = number_in(value_of(call.argument, "size"));
            list(argument_of(call.argument, "le"), tunnel, depth + 1);
            mtu_ = before;
        } else if (call.name == "userspace") {
            if (call.argument.find("controller(") != std::string_view::npos) {
                add({Emission::Kind::Agent, {}, {}, 0, {}, {}, 0, {}});
            }
        } else if (call.name == "recirc") {
            add({Emission::Kind::Recirculation,
                 {},
                 {},
                 0,
                 {},
                 {},
                 number_in(call.argument).value_or(0),
                 {}});
        } else if (call.name == "tnl_pop") {
            add({Emission::Kind::Decapsulation, std::string(call.argument), {}, 0, {}, {}, 0, {}});
        }
    }

    std::optional<std::uint64_t> mtu_;
};

std::string tunnel_words(const Emission& tunnel) {
    std::string text = "encapsulate";
    if (tunnel.encapsulation == "vxlan") {
        text += " VXLAN VNI " + std::to_string(tunnel.key);
    } else if (tunnel.encapsulation == "gre") {
        text += " NVGRE VSID " + std::to_string(tunnel.key >> 8);
    } else {
        text += " key " + std::to_string(tunnel.key);
    }
    if (tunnel.source) {
        text += " from PA " + tunnel.source->to_string();
    }
    return text + (tunnel.target ? " to PA " + tunnel.target->to_string() : std::string());
}

class Words {
  public:
    Words(const std::function<std::string(std::string_view)>& name_of,
          std::vector<std::string>& words)
        : name_of_(name_of), words_(words) {}

    void list(std::string_view actions, unsigned depth) {
        bool pushed_here = false;
        for (const std::string_view item : split_list(actions)) {
            const Call call = call_of(item);
            if (depth > kMaxDepth) {
                words_.emplace_back(item);
            } else if (!call.has_brackets) {
                if (!pushed_here) {
                    words_.push_back(item == "drop" ? "drop" : "output to " + name_of_(item));
                }
            } else {
                pushed_here = call.name == "tnl_push" || pushed_here;
                one(item, call, depth);
            }
        }
    }

  private:
    void one(std::string_view item, const Call& call, unsigned depth) {
        if (call.name == "tnl_push") {
            words_.push_back(tunnel_words(pushed(call.argument)));
        } else if (call.name == "tnl_pop") {
            words_.push_back("decapsulate at " + name_of_(call.argument));
        } else if (call.name == "recirc") {
            words_.push_back("go on as recirculation " + std::string(call.argument));
        } else if (call.name == "ct") {
            ct(call.argument);
        } else if (call.name == "set") {
            set(call.argument);
        } else if (call.name == "clone") {
            list(call.argument, depth + 1);
        } else if (call.name == "sample") {
            list(argument_of(call.argument, "actions"), depth + 1);
        } else if (call.name == "check_pkt_len") {
            words_.push_back("frames of more than " + std::string(value_of(call.argument, "size")) +
                             " bytes to the agent (ICMP too big)");
            list(argument_of(call.argument, "le"), depth + 1);
        } else if (call.name == "userspace") {
            words_.emplace_back(call.argument.find("controller(") != std::string_view::npos
                                    ? "to the agent"
                                    : "to ovs-vswitchd");
        } else if (call.name == "meter") {
            words_.push_back("limited by meter " + std::string(call.argument));
        } else {
            words_.emplace_back(item);
        }
    }

    void ct(std::string_view argument) {
        const std::string zone(value_of(argument, "zone"));
        const bool commits = argument.find("commit") != std::string_view::npos;
        const bool translates = argument.find("nat") != std::string_view::npos;
        words_.push_back(std::string(commits ? "remember the connection" : "track the connection") +
                         (translates ? " and translate its addresses" : "") + " in zone " +
                         (zone.empty() ? "0" : zone));
    }

    void set(std::string_view argument) {
        const Call field = call_of(argument);
        for (const std::string_view item : split_list(field.argument)) {
            const auto [key, value] = pair_of(item);
            if (field.name == "tunnel") {
                continue;  // Told by the output.
            }
            std::string text = "set ";
            text += field.name;
            text += " ";
            text += key;
            words_.push_back(value.empty() ? text : text + " " + std::string(value));
        }
        if (field.name == "tunnel") {
            words_.push_back(tunnel_words(told(field.argument)));
        }
    }

    const std::function<std::string(std::string_view)>& name_of_;
    std::vector<std::string>& words_;
};

std::uint64_t count_in(std::string_view line, std::string_view name) {
    return number_in(between(line, name, ",").value_or("")).value_or(0);
}

}  // namespace

const SwitchPort* SwitchPorts::by_ofport(std::string_view bridge, std::uint32_t ofport) const {
    const auto found = std::ranges::find_if(ports, [&](const SwitchPort& port) {
        return port.bridge == bridge && port.ofport == ofport;
    });
    return found == ports.end() ? nullptr : &*found;
}

const SwitchPort* SwitchPorts::by_datapath(std::string_view port) const {
    const auto number = std::ranges::find(ports, port, &SwitchPort::datapath_port);
    return number != ports.end() ? &*number : by_name(port);
}

const SwitchPort* SwitchPorts::by_name(std::string_view name) const {
    const auto found = std::ranges::find(ports, name, &SwitchPort::name);
    return found == ports.end() ? nullptr : &*found;
}

SwitchPorts parse_dpif_show(std::string_view text, std::string_view bridge) {
    SwitchPorts result;
    std::string datapath;
    std::string current;
    std::vector<SwitchPort> ports;
    const auto datapath_ends = [&] {
        if (!result.datapath.empty() || ports.empty()) {
            return;
        }
        if (std::ranges::find(ports, bridge, &SwitchPort::bridge) != ports.end()) {
            result.datapath = datapath;
            result.ports = std::move(ports);
        }
    };
    for_each_line(text, [&](std::string_view line) {
        const std::size_t indent = line.find_first_not_of(' ');
        if (indent == std::string_view::npos) {
            return;
        }
        if (indent == 0) {
            datapath_ends();
            ports.clear();
            datapath = line.substr(0, line.find(": "));
        } else if (auto port = port_of(line)) {
            port->bridge = current;
            ports.push_back(std::move(*port));
        } else if (trimmed(line).ends_with(':')) {
            current = trimmed(line).substr(0, trimmed(line).size() - 1);
        }
    });
    datapath_ends();
    return result;
}

std::string_view DatapathFlow::field(std::string_view name) const { return argument_of(key, name); }

std::vector<DatapathFlow> parse_datapath_flows(std::string_view text) {
    std::vector<DatapathFlow> flows;
    for_each_line(text, [&](std::string_view line) {
        constexpr std::string_view kActions = ", actions:";
        constexpr std::string_view kUfid = "ufid:";
        const std::size_t counters = line.find(", packets:");
        const std::size_t actions = line.find(kActions);
        if (counters == std::string_view::npos || actions == std::string_view::npos ||
            actions < counters) {
            return;
        }
        DatapathFlow flow;
        std::string_view key = line.substr(0, counters);
        if (key.starts_with(kUfid)) {
            const std::size_t comma = std::min(key.find(','), key.size());
            flow.ufid = key.substr(kUfid.size(), comma - kUfid.size());
            key.remove_prefix(std::min(comma + 1, key.size()));
        }
        flow.key = trimmed(key);
        const std::string_view between_them = line.substr(counters, actions - counters + 1);
        flow.packets = count_in(between_them, "packets:");
        flow.bytes = count_in(between_them, "bytes:");
        flow.used = between(between_them, "used:", ",").value_or("");
        const std::string_view rest = line.substr(actions + kActions.size());
        flow.actions = trimmed(rest.substr(0, rest.find(", dp-extra-info:")));
        flows.push_back(std::move(flow));
    });
    return flows;
}

std::vector<Emission> emissions(std::string_view actions) {
    Walk walk;
    walk.list(actions, std::nullopt, 0);
    return std::move(walk.found);
}

std::vector<std::string> action_words(std::string_view actions,
                                      const std::function<std::string(std::string_view)>& name_of) {
    std::vector<std::string> words;
    Words(name_of, words).list(actions, 0);
    return words;
}

}  // namespace hnv::cli
