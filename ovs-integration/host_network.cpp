// Open vSwitch wraps some of <linux/…>; its wrappers need its config.h before them.
#include <config.h>

#include "ovs-integration/host_network.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>

namespace hnv::ovs {
namespace {

// Before the main table's rule (32766), after what an administrator is likely to put first.
constexpr std::uint32_t kRulePriority = 20000;

// Frees libnl's objects by the function that belongs to each.
template <auto kFree>
struct Free {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};
using AddrPtr = std::unique_ptr<rtnl_addr, Free<rtnl_addr_put>>;
using LinkPtr = std::unique_ptr<rtnl_link, Free<rtnl_link_put>>;
using RulePtr = std::unique_ptr<rtnl_rule, Free<rtnl_rule_put>>;
using RoutePtr = std::unique_ptr<rtnl_route, Free<rtnl_route_put>>;
using CachePtr = std::unique_ptr<nl_cache, Free<nl_cache_free>>;
using NlAddrPtr = std::unique_ptr<nl_addr, Free<nl_addr_put>>;

Error error_of(const std::string& what, int code) { return Error(what + ": " + nl_geterror(code)); }

// `allowed`: a libnl error that means that all is as wished already.
Status status_of(const std::string& what, int code, int allowed) {
    if (code < 0 && code != -allowed) {
        return error_of(what, code);
    }
    return {};
}

int family_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

NlAddrPtr nl_address(const IpAddress& address, unsigned length) {
    constexpr std::size_t kMapped = 12;  // Bytes before the IPv4 address in its mapped form.
    const auto bytes = std::span(address.bytes()).subspan(address.is_v4() ? kMapped : 0);
    NlAddrPtr made(nl_addr_build(family_of(address), bytes.data(), bytes.size()));
    nl_addr_set_prefixlen(made.get(), static_cast<int>(length));
    return made;
}

NlAddrPtr nl_address(const IpAddress& address) {
    return nl_address(address, address.is_v4() ? 32 : 128);
}

std::optional<IpAddress> ip_address(const nl_addr* address) {
    if (address == nullptr) {
        return std::nullopt;
    }
    const void* binary = nl_addr_get_binary_addr(address);
    if (nl_addr_get_family(address) == AF_INET && nl_addr_get_len(address) == 4) {
        std::array<std::uint8_t, 4> b{};
        std::memcpy(b.data(), binary, b.size());
        return IpAddress::from_v4(std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 |
                                  std::uint32_t{b[2]} << 8 | b[3]);
    }
    if (nl_addr_get_family(address) == AF_INET6 && nl_addr_get_len(address) == 16) {
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), binary, bytes.size());
        return IpAddress::from_v6(bytes);
    }
    return std::nullopt;
}

AddrPtr address_of(int index, const IpPrefix& prefix) {
    AddrPtr address(rtnl_addr_alloc());
    rtnl_addr_set_ifindex(address.get(), index);
    rtnl_addr_set_local(address.get(), nl_address(prefix.address, prefix.length).get());
    return address;
}

// The agent makes these with exactly these fields, in one family each.
RulePtr rule_of(const RoutingRule& wanted, int family, bool by_source) {
    RulePtr rule(rtnl_rule_alloc());
    rtnl_rule_set_family(rule.get(), family);
    rtnl_rule_set_table(rule.get(), wanted.table);
    rtnl_rule_set_prio(rule.get(), kRulePriority);
    rtnl_rule_set_action(rule.get(), FR_ACT_TO_TBL);
    if (by_source) {
        rtnl_rule_set_src(rule.get(), nl_address(*wanted.source).get());
    } else {
        rtnl_rule_set_mark(rule.get(), wanted.mark);
    }
    return rule;
}

// What tells the rules of a family apart: mark, table, source.
struct RuleKey {
    std::uint32_t mark = 0;
    std::uint32_t table = 0;
    std::optional<IpAddress> source;
    auto operator<=>(const RuleKey&) const = default;
};

HostLink link_of(rtnl_link* link) {
    HostLink found;
    found.name = rtnl_link_get_name(link);
    found.index = rtnl_link_get_ifindex(link);
    found.mtu = rtnl_link_get_mtu(link);
    found.up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
    if (const nl_addr* mac = rtnl_link_get_addr(link);
        mac != nullptr && nl_addr_get_len(mac) == found.mac.bytes.size()) {
        std::memcpy(found.mac.bytes.data(), nl_addr_get_binary_addr(mac), found.mac.bytes.size());
    }
    return found;
}

}  // namespace

HostNetwork::HostNetwork() = default;
HostNetwork::~HostNetwork() = default;

void HostNetwork::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Status HostNetwork::connected() {
    if (socket_ != nullptr) {
        return {};
    }
    socket_.reset(nl_socket_alloc());
    if (socket_ == nullptr) {
        return Error("netlink socket: out of memory");
    }
    if (const int code = nl_connect(socket_.get(), NETLINK_ROUTE); code < 0) {
        socket_.reset();
        return error_of("netlink socket", code);
    }
    return {};
}

Result<std::vector<HostLink>> HostNetwork::links() {
    if (Status status = connected(); !status) {
        return status.error();
    }
    nl_cache* raw = nullptr;
    if (const int code = rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &raw); code < 0) {
        return error_of("read the devices", code);
    }
    std::vector<HostLink> found;
    const CachePtr cache(raw);
    std::map<int, std::string> names;
    std::vector<int> masters;
    for (nl_object* object = nl_cache_get_first(raw); object != nullptr;
         object = nl_cache_get_next(object)) {
        auto* link = reinterpret_cast<rtnl_link*>(object);
        found.push_back(link_of(link));
        masters.push_back(rtnl_link_get_master(link));
        names.emplace(found.back().index, found.back().name);
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (const auto master = names.find(masters[i]); masters[i] != 0 && master != names.end()) {
            found[i].master = master->second;
        }
    }
    std::ranges::sort(found);
    return found;
}

Status HostNetwork::add_address(int index, const IpPrefix& prefix) {
    if (Status status = connected(); !status) {
        return status;
    }
    const AddrPtr address = address_of(index, prefix);
    unsigned flags = IFA_F_NOPREFIXROUTE;
    if (!prefix.address.is_v4()) {
        flags |= IFA_F_NODAD;
    }
    rtnl_addr_set_flags(address.get(), flags);
    const int code = rtnl_addr_add(socket_.get(), address.get(), NLM_F_CREATE | NLM_F_EXCL);
    return status_of("add address " + prefix.to_string(), code, NLE_EXIST);
}

Status HostNetwork::remove_address(int index, const IpPrefix& prefix) {
    if (Status status = connected(); !status) {
        return status;
    }
    const int code = rtnl_addr_delete(socket_.get(), address_of(index, prefix).get(), 0);
    return status_of("remove address " + prefix.to_string(), code, NLE_NOADDR);
}

Status HostNetwork::set_up(int index) {
    if (Status status = connected(); !status) {
        return status;
    }
    const LinkPtr old(rtnl_link_alloc());
    const LinkPtr changes(rtnl_link_alloc());
    rtnl_link_set_ifindex(old.get(), index);
    rtnl_link_set_flags(changes.get(), IFF_UP);
    const int code = rtnl_link_change(socket_.get(), old.get(), changes.get(), 0);
    return code < 0 ? Status(error_of("set a link up", code)) : Status();
}

Status HostNetwork::set_rules(std::uint32_t first, std::uint32_t last,
                              std::span<const RoutingRule> wanted) {
    if (Status status = connected(); !status) {
        return status;
    }
    for (const int family : {AF_INET, AF_INET6}) {
        std::map<RuleKey, RulePtr> missing;
        for (const RoutingRule& rule : wanted) {
            if (rule.source && family_of(*rule.source) != family) {
                continue;
            }
            missing.emplace(RuleKey{rule.mark, rule.table, {}}, rule_of(rule, family, false));
            if (rule.source) {
                missing.emplace(RuleKey{0, rule.table, rule.source}, rule_of(rule, family, true));
            }
        }
        nl_cache* raw = nullptr;
        if (const int code = rtnl_rule_alloc_cache(socket_.get(), family, &raw); code < 0) {
            return error_of("read the routing rules", code);
        }
        const CachePtr cache(raw);
        for (nl_object* object = nl_cache_get_first(raw); object != nullptr;
             object = nl_cache_get_next(object)) {
            auto* rule = reinterpret_cast<rtnl_rule*>(object);
            const std::uint32_t table = rtnl_rule_get_table(rule);
            // The kernel may list those of other families as well.
            if (rtnl_rule_get_family(rule) != family || table < first || table > last) {
                continue;
            }
            const RuleKey key{rtnl_rule_get_mark(rule), table, ip_address(rtnl_rule_get_src(rule))};
            if (missing.erase(key) == 0) {
                if (const int code = rtnl_rule_delete(socket_.get(), rule, 0); code < 0) {
                    return error_of("delete a routing rule", code);
                }
            }
        }
        for (const auto& [key, rule] : missing) {
            if (const int code = rtnl_rule_add(socket_.get(), rule.get(), NLM_F_EXCL); code < 0) {
                return error_of("add a routing rule", code);
            }
        }
    }
    return {};
}

Status HostNetwork::put_route(std::uint32_t table, const IpPrefix& prefix, int index,
                              const std::optional<IpAddress>& gateway, const IpAddress& source) {
    if (Status status = connected(); !status) {
        return status;
    }
    const RoutePtr route(rtnl_route_alloc());
    rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family_of(prefix.address)));
    rtnl_route_set_table(route.get(), table);
    rtnl_route_set_dst(route.get(), nl_address(prefix.network(), prefix.length).get());
    rtnl_route_set_scope(route.get(),
                         gateway || !prefix.address.is_v4() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
    rtnl_route_set_pref_src(route.get(), nl_address(source).get());
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    rtnl_route_nh_set_ifindex(hop, index);
    if (gateway) {
        rtnl_route_nh_set_gateway(hop, nl_address(*gateway).get());
    }
    rtnl_route_add_nexthop(route.get(), hop);  // The route owns it now.
    const int code = rtnl_route_add(socket_.get(), route.get(), NLM_F_CREATE | NLM_F_REPLACE);
    return code < 0 ? Status(error_of("add route " + prefix.to_string(), code)) : Status();
}

std::optional<std::string> read_sysctl(const std::string& key) {
    std::ifstream file("/proc/sys/" + key);
    std::string value;
    if (!std::getline(file, value)) {
        return std::nullopt;
    }
    return value;
}

Status write_sysctl(const std::string& key, const std::string& value) {
    const auto before = read_sysctl(key);
    if (!before || *before == value) {
        return {};
    }
    std::ofstream file("/proc/sys/" + key);
    file << value << std::flush;
    if (!file) {
        return Error("set sysctl " + key + " to " + value + ": " + std::strerror(errno));
    }
    return {};
}

Status send_frame(int index, std::span<const std::uint8_t> frame) {
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return Error(std::string("packet socket: ") + std::strerror(errno));
    }
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = index;
    to.sll_halen = ETH_ALEN;
    std::copy_n(frame.begin(), std::min<std::size_t>(frame.size(), ETH_ALEN), to.sll_addr);
    const ssize_t sent = ::sendto(fd, frame.data(), frame.size(), 0,
                                  reinterpret_cast<const sockaddr*>(&to), sizeof to);
    const int error = errno;
    ::close(fd);
    if (sent < 0) {
        return Error(std::string("send a frame: ") + std::strerror(error));
    }
    return {};
}

}  // namespace hnv::ovs
