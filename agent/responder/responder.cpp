#include "responder/responder.h"

#include <utility>
#include <variant>

#include "pipeline/layout.h"

namespace hnv::responder {

namespace {

[[nodiscard]] bool asks_for(const ovs::PacketIn& packet_in, pipeline::PacketInKind kind) {
    return !packet_in.userdata.empty() &&
           packet_in.userdata.front() == static_cast<std::uint8_t>(kind);
}

}  // namespace

Response respond(const ovs::PacketIn& packet_in, const policy::NeighbourTable& neighbours) {
    constexpr auto kVsid = static_cast<std::size_t>(pipeline::Reg::Vsid);
    if (!asks_for(packet_in, pipeline::PacketInKind::ArpRequest) ||
        packet_in.registers.size() <= kVsid) {
        return {Outcome::Unexpected, {}};
    }
    const auto parsed = parse_arp_request(packet_in.packet);
    const auto* request = std::get_if<ArpRequest>(&parsed);
    if (request == nullptr) {
        return {Outcome::Malformed, {}};
    }
    const ArpAnswer answer = answer_arp(*request, packet_in.registers[kVsid], neighbours);
    switch (answer.verdict) {
        case ArpVerdict::Reply:
            return {Outcome::Answered, build_arp_reply(*request, answer.mac)};
        case ArpVerdict::OwnAddress:
            return {Outcome::OwnAddress, {}};
        case ArpVerdict::Unknown:
            break;
    }
    return {Outcome::Missed, {}};
}

Responder::Responder(std::string target, const policy::NeighbourTable& neighbours)
    : target_(std::move(target)), neighbours_(neighbours) {}

Responder::~Responder() { stop(); }

void Responder::start() {
    if (!thread_) {
        stopping_.store(false);
        thread_.emplace("responder", [this] { run(); });
    }
}

void Responder::stop() {
    stopping_.store(true);
    wake_.notify();
    thread_.reset();
}

Counters Responder::counters() const {
    const auto count = [this](Outcome outcome) {
        return counts_[static_cast<std::size_t>(outcome)].load(std::memory_order_relaxed);
    };
    return {count(Outcome::Answered),  count(Outcome::Missed),     count(Outcome::OwnAddress),
            count(Outcome::Malformed), count(Outcome::Unexpected), count(Outcome::Overflow),
            count(Outcome::Refused)};
}

void Responder::run() {
    ovs::OpenFlowConnection connection(target_, "responder");
    std::optional<std::uint64_t> set_up;  // The generation that has been asked for packet-ins.
    while (!stopping_.load()) {
        connection.run();
        const bool connected = connection.connected();
        if (connected && set_up != connection.generation()) {
            set_up = connection.generation();
            for (const ovs::Bytes& message :
                 ovs::encode_packet_in_setup(pipeline::kResponderControllerId)) {
                connection.send(message);
            }
        }
        connected_.store(connected, std::memory_order_relaxed);
        if (serve(connection)) {
            ovs::wake_now();
        }
        connection.wait();
        wake_.wait();
        ovs::block();
        wake_.drain();
    }
    connected_.store(false, std::memory_order_relaxed);
}

// True when there may be more to receive: the turn ends all the same, so that what is queued gets
// sent and a stop is heard.
bool Responder::serve(ovs::OpenFlowConnection& connection) {
    for (std::size_t i = 0; i < kMessagesPerTurn; ++i) {
        const auto message = connection.receive();
        if (!message) {
            return false;
        }
        if (const auto outcome = handle(connection, *message)) {
            counts_[static_cast<std::size_t>(*outcome)].fetch_add(1, std::memory_order_relaxed);
        }
    }
    return true;
}

std::optional<Outcome> Responder::handle(ovs::OpenFlowConnection& connection,
                                         const ovs::Bytes& message) {
    const auto decoded = ovs::decode(message);
    if (!decoded) {
        return Outcome::Unexpected;
    }
    if (std::holds_alternative<ovs::ErrorReply>(*decoded)) {
        return Outcome::Refused;
    }
    const auto* packet_in = std::get_if<ovs::PacketIn>(&*decoded);
    if (packet_in == nullptr) {
        return std::nullopt;
    }
    const Response response = respond(*packet_in, neighbours_);
    if (response.outcome != Outcome::Answered) {
        return response.outcome;
    }
    if (connection.queued() >= kSendQueueLimit) {
        return Outcome::Overflow;
    }
    connection.send(ovs::encode_packet_out(response.frame, packet_in->in_port));
    return Outcome::Answered;
}

}  // namespace hnv::responder
