// The audit log: each new flow that a firewall rule with logging decides becomes a line of JSON.
//
//   switch ─ packet-in ─▶ read() ─▶ RepeatFilter ─▶ LogWriter ─▶ audit.log
//            (its thread)                           (its thread)
//
// Bounds: the switch sends no more than the host's limit (MeterKind::Audit); repeats of a flow
// within kRepeatWindow are kept back; what the disk does not take in time is dropped. All of it is
// counted, and nothing of it makes anything else wait.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "audit/log_writer.h"
#include "audit/record.h"
#include "audit/repeat_filter.h"
#include "ovs-integration/packet_in_thread.h"
#include "policy/port_names.h"

namespace hnv::audit {

inline constexpr std::size_t kRememberedFlows = 65'536;
inline constexpr std::chrono::seconds kRepeatWindow{60};

struct Counters {
    std::uint64_t written = 0;
    std::uint64_t suppressed = 0;  // Repeats of a flow.
    std::uint64_t dropped = 0;     // The disk did not keep up.
    std::uint64_t errors = 0;      // The file could not be written.
    std::uint64_t malformed = 0;   // Packet-ins that are not what a rule sends.
    bool operator==(const Counters&) const = default;
};

// What a packet-in says. Pure.
struct Decision {
    pipeline::AuditUserdata decision;
    std::uint32_t port = 0;  // OpenFlow number of the port whose rule it was.
    std::uint32_t vsid = 0;
    FlowTuple flow;
    bool operator==(const Decision&) const = default;
};
// nullopt: not a packet-in of a rule, or not of IP.
[[nodiscard]] std::optional<Decision> read(const ovs::PacketIn& packet_in);

class AuditLog {
  public:
    // `target`: the bridge's management socket. `names` outlives the log. `path`: of the file.
    AuditLog(std::string target, const policy::PortNames& names, std::string path);

    // As those of ovs::PacketInThread; the destructor stops.
    void start();
    void stop();

    // Any thread.
    void set_rotation(const Rotation& rotation) { writer_.set_rotation(rotation); }
    void reopen() { writer_.reopen(); }
    [[nodiscard]] Counters counters() const;
    [[nodiscard]] bool connected() const { return thread_.connected(); }
    // Why records can't be written now; empty: they can.
    [[nodiscard]] std::string problem() const { return writer_.problem(); }

  private:
    void handle(const Result<ovs::Message>& message);

    const policy::PortNames& names_;
    RepeatFilter filter_{kRememberedFlows, kRepeatWindow};
    LogWriter writer_;
    std::atomic<std::uint64_t> suppressed_{0};
    std::atomic<std::uint64_t> malformed_{0};
    ovs::PacketInThread thread_;  // Last: it uses the others.
};

}  // namespace hnv::audit
