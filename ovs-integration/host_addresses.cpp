// Open vSwitch wraps some of <linux/…>; its wrappers need its config.h before them.
#include <config.h>

#include "ovs-integration/host_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "ovs-integration/event_loop.h"

namespace hnv::ovs {
namespace {

// Datagrams taken in one run(); what is left wakes the loop again.
constexpr int kMaxReceives = 64;

unsigned count_ones(std::span<const std::uint8_t> mask) {
    unsigned ones = 0;
    for (const std::uint8_t byte : mask) {
        ones += static_cast<unsigned>(std::popcount(byte));
    }
    return ones;
}

// The address bytes of an AF_INET6 sockaddr, copied out: a sockaddr* need not be aligned for it.
std::array<std::uint8_t, 16> v6_bytes(const sockaddr* generic) {
    sockaddr_in6 address{};
    std::memcpy(&address, generic, sizeof address);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
    return bytes;
}

std::array<std::uint8_t, 4> v4_bytes(const sockaddr* generic) {
    sockaddr_in address{};
    std::memcpy(&address, generic, sizeof address);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
    return bytes;
}

std::optional<HostAddress> host_address(const ifaddrs& entry) {
    if (entry.ifa_addr == nullptr) {
        return std::nullopt;
    }
    HostAddress result;
    if (entry.ifa_addr->sa_family == AF_INET) {
        const auto bytes = v4_bytes(entry.ifa_addr);
        std::uint32_t value = 0;
        std::memcpy(&value, bytes.data(), sizeof value);
        result.address = IpAddress::from_v4(ntohl(value));
        result.prefix_length =
            entry.ifa_netmask == nullptr ? 32 : count_ones(v4_bytes(entry.ifa_netmask));
    } else if (entry.ifa_addr->sa_family == AF_INET6) {
        result.address = IpAddress::from_v6(v6_bytes(entry.ifa_addr));
        result.prefix_length =
            entry.ifa_netmask == nullptr ? 128 : count_ones(v6_bytes(entry.ifa_netmask));
    } else {
        return std::nullopt;
    }
    // An IPv4 address may carry a label of its own, "eth0:1".
    const std::string_view name(entry.ifa_name);
    result.interface = name.substr(0, name.find(':'));
    constexpr unsigned kUp = IFF_UP | IFF_RUNNING;
    result.up = (entry.ifa_flags & kUp) == kUp;
    return result;
}

}  // namespace

HostAddresses::HostAddresses() { subscribe(); }

HostAddresses::~HostAddresses() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

void HostAddresses::subscribe() {
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) {
        return;
    }
    sockaddr_nl local{};
    local.nl_family = AF_NETLINK;
    local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) < 0) {
        ::close(fd);
        return;
    }
    fd_ = fd;
}

bool HostAddresses::run() {
    if (fd_ < 0) {
        subscribe();
        stale_ = true;
    } else if (drain()) {
        stale_ = true;
    }
    return stale_ && read();
}

void HostAddresses::wait() {
    if (fd_ >= 0) {
        wait_readable(fd_);
    }
}

bool HostAddresses::drain() {
    bool heard = false;
    for (int i = 0; i < kMaxReceives; ++i) {
        // The contents don't matter: a truncated datagram serves as well as a whole one.
        std::array<char, 64> datagram{};
        const ssize_t received = ::recv(fd_, datagram.data(), datagram.size(), 0);
        if (received >= 0 || errno == ENOBUFS) {
            heard = true;
        } else if (errno != EINTR) {
            break;
        }
    }
    return heard;
}

bool HostAddresses::read() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return false;
    }
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
    std::vector<HostAddress> found;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (std::optional<HostAddress> address = host_address(*entry)) {
            found.push_back(std::move(*address));
        }
    }
    std::ranges::sort(found);
    Result<std::vector<HostLink>> links = network_.links();
    if (!links) {
        return false;
    }
    stale_ = false;
    if (found == addresses_ && *links == links_) {
        return false;
    }
    addresses_ = std::move(found);
    links_ = *std::move(links);
    return true;
}

}  // namespace hnv::ovs
