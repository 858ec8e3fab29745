// Bounds on the clients of the OVSDB server, and what they cost. Plain values.
#pragma once

#include <cstdint>

namespace hnv::ovs {

// What clients may take; ovsdb_limits.c tells what becomes of one that wants more.
struct ServerLimits {
    std::uint64_t clients = 512;  // At once; the Unix socket has 16 places besides.
    std::uint64_t message_bytes = std::uint64_t{256} << 20;
    std::uint64_t monitors = 64;  // Of a client; so are the next three.
    std::uint64_t waits = 256;    // Transactions that wait.
    std::uint64_t locks = 64;
    std::uint64_t backlog_bytes = std::uint64_t{1} << 20;  // That it leaves where it is.
    bool operator==(const ServerLimits&) const = default;
};

// What the limits cost, since the start; but `clients` are those of this moment.
struct ServerCounters {
    std::uint64_t clients = 0;
    std::uint64_t clients_refused = 0;
    std::uint64_t clients_stalled = 0;  // Disconnected, since they took nothing.
    std::uint64_t untrusted = 0;        // TLS connections that ended without a certificate.
    std::uint64_t messages_refused = 0;
    std::uint64_t monitors_refused = 0;
    std::uint64_t waits_refused = 0;
    std::uint64_t locks_refused = 0;
    std::uint64_t permissions_refused = 0;
    bool operator==(const ServerCounters&) const = default;
};

}  // namespace hnv::ovs
