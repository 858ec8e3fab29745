#include "audit/audit_log.h"

#include <string_view>
#include <utility>
#include <variant>

#include "pipeline/layout.h"

namespace hnv::audit {

namespace {

using pipeline::Reg;

[[nodiscard]] std::uint32_t value_of(const ovs::PacketIn& packet_in, Reg reg) {
    const auto number = static_cast<std::size_t>(reg);
    return number < packet_in.registers.size() ? packet_in.registers[number] : 0;
}

// The port whose rule decided: the sender of what leaves a guest, the receiver of what enters one.
[[nodiscard]] std::uint32_t judged_port(const ovs::PacketIn& packet_in,
                                        policy::Direction direction) {
    return value_of(packet_in,
                    direction == policy::Direction::Outbound ? Reg::Source : Reg::Destination);
}

}  // namespace

std::optional<Decision> read(const ovs::PacketIn& packet_in) {
    auto decision = pipeline::decode_audit(packet_in.userdata);
    const auto flow = parse_flow(packet_in.packet);
    if (!decision || !flow) {
        return std::nullopt;
    }
    const std::uint32_t port = judged_port(packet_in, decision->direction);
    return Decision{*std::move(decision), port, value_of(packet_in, Reg::Vsid), *flow};
}

AuditLog::AuditLog(std::string target, const policy::PortNames& names, std::string path)
    : names_(names),
      writer_(std::move(path)),
      thread_(std::move(target), "audit", pipeline::kAuditControllerId,
              [this](ovs::OpenFlowConnection&, const Result<ovs::Message>& message) {
                  handle(message);
              }) {}

void AuditLog::start() {
    writer_.start();
    thread_.start();
}

void AuditLog::stop() {
    thread_.stop();
    writer_.stop();
}

Counters AuditLog::counters() const {
    const WriterCounters writer = writer_.counters();
    return {writer.written, suppressed_.load(std::memory_order_relaxed), writer.dropped,
            writer.errors, malformed_.load(std::memory_order_relaxed)};
}

void AuditLog::handle(const Result<ovs::Message>& message) {
    const auto* packet_in = message ? std::get_if<ovs::PacketIn>(&*message) : nullptr;
    if (packet_in == nullptr) {
        return;  // Echo replies, changes of ports: nobody asked.
    }
    auto decision = read(*packet_in);
    if (!decision) {
        malformed_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    const std::string_view rule(reinterpret_cast<const char*>(packet_in->userdata.data()),
                                packet_in->userdata.size());
    const auto repeats = filter_.admit({pipeline::tell_of(rule), decision->port, decision->flow},
                                       RepeatFilter::Clock::now());
    if (!repeats) {
        suppressed_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    writer_.write(to_line({std::chrono::system_clock::now(), std::move(decision->decision),
                           names_.find(decision->port), decision->vsid, decision->flow, *repeats}));
}

}  // namespace hnv::audit
