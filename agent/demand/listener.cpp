#include "demand/listener.h"

#include <variant>

#include "ovs-integration/wire.h"
#include "pipeline/layout.h"
#include "responder/frame.h"

namespace hnv::demand {

namespace {

using pipeline::Reg;
using responder::View;

constexpr std::size_t kEthHeaderLength = 14;
// Of an IPv4 packet (RFC 791 section 3.1).
constexpr std::size_t kIpv4HeaderLength = 20;
constexpr std::size_t kIpv4Destination = 16;

[[nodiscard]] std::uint32_t value_of(const ovs::PacketIn& packet_in, Reg reg) {
    const auto number = static_cast<std::size_t>(reg);
    return number < packet_in.registers.size() ? packet_in.registers[number] : 0;
}

[[nodiscard]] std::optional<IpAddress> destination_of(View frame) {
    const std::uint16_t type = responder::read16(frame, responder::kEthType);
    const View packet = frame.subspan(kEthHeaderLength);
    if (type == wire::kIpv4 && packet.size() >= kIpv4HeaderLength) {
        return IpAddress::from_v4(responder::read32(packet, kIpv4Destination));
    }
    if (type == wire::kIpv6 && packet.size() >= responder::kIpv6HeaderLength) {
        return responder::read_ipv6(packet, responder::kIpv6Destination);
    }
    return std::nullopt;
}

}  // namespace

std::optional<Request> read(const ovs::PacketIn& packet_in) {
    if (packet_in.userdata.size() != 1 ||
        packet_in.userdata[0] != static_cast<std::uint8_t>(pipeline::PacketInKind::Demand) ||
        packet_in.resume.empty() || packet_in.packet.size() < kEthHeaderLength) {
        return std::nullopt;
    }
    Request request{value_of(packet_in, Reg::Vsid), value_of(packet_in, Reg::Source)};
    switch (value_of(packet_in, Reg::Part)) {
        case pipeline::kAskedMac:
            request.mac = responder::read_mac(packet_in.packet, responder::kEthDestination);
            break;
        case pipeline::kAskedAddress:
            request.ca = destination_of(packet_in.packet);
            break;
        default:
            break;
    }
    if (!request.mac && !request.ca) {
        return std::nullopt;
    }
    request.resume = packet_in.resume;
    return request;
}

Listener::Listener(std::string target)
    : thread_(std::move(target), "demand", pipeline::kDemandControllerId,
              [this](ovs::OpenFlowConnection&, const Result<ovs::Message>& message) {
                  handle(message);
              }) {}

void Listener::watch(std::set<std::uint32_t> vsids) {
    watching_.store(!vsids.empty(), std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    watched_ = std::move(vsids);
}

void Listener::announce(std::uint32_t vsid, std::uint32_t source, const MacAddress& mac) {
    if (!watching_.load(std::memory_order_relaxed)) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (watched_.contains(vsid) && announced_.emplace(vsid, mac).second) {
        announcements_.fetch_add(1, std::memory_order_relaxed);
        queue({vsid, source, mac});
    }
}

std::vector<Request> Listener::take() {
    heard_.drain();
    const std::lock_guard lock(mutex_);
    announced_.clear();
    queued_bytes_ = 0;
    queued_of_.clear();
    return std::exchange(queue_, {});
}

ListenerCounters Listener::counters() const {
    return {packets_.load(std::memory_order_relaxed),
            announcements_.load(std::memory_order_relaxed),
            dropped_.load(std::memory_order_relaxed), malformed_.load(std::memory_order_relaxed)};
}

void Listener::handle(const Result<ovs::Message>& message) {
    const auto* packet_in = message ? std::get_if<ovs::PacketIn>(&*message) : nullptr;
    if (packet_in == nullptr) {
        return;  // Echo replies, changes of ports: nobody asked.
    }
    auto request = read(*packet_in);
    if (!request) {
        malformed_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    packets_.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    queue(std::move(*request));
}

// With the mutex held.
void Listener::queue(Request request) {
    std::size_t& of_port = queued_of_[request.source];
    if (queue_.size() >= kQueue || of_port >= kQueueOfPort ||
        queued_bytes_ + request.resume.size() > kQueueBytes) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    ++of_port;
    queued_bytes_ += request.resume.size();
    queue_.push_back(std::move(request));
    if (queue_.size() == 1) {
        heard_.notify();
    }
}

}  // namespace hnv::demand
