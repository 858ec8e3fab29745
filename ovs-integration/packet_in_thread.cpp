#include "ovs-integration/packet_in_thread.h"

#include <utility>

namespace hnv::ovs {

PacketInThread::PacketInThread(std::string target, std::string name, std::uint16_t controller_id,
                               Handler handler, Turn turn)
    : target_(std::move(target)),
      name_(std::move(name)),
      controller_id_(controller_id),
      handler_(std::move(handler)),
      turn_(std::move(turn)) {}

PacketInThread::~PacketInThread() { stop(); }

void PacketInThread::start() {
    if (!thread_) {
        stopping_.store(false);
        thread_.emplace(name_, [this] { run(); });
    }
}

void PacketInThread::stop() {
    stopping_.store(true);
    wake_.notify();
    thread_.reset();
}

void PacketInThread::run() {
    OpenFlowConnection connection(target_, name_);
    std::optional<std::uint64_t> set_up;  // The generation that has been asked for packet-ins.
    while (!stopping_.load()) {
        connection.run();
        const bool connected = connection.connected();
        if (connected && set_up != connection.generation()) {
            set_up = connection.generation();
            for (const Bytes& message : encode_packet_in_setup(controller_id_)) {
                connection.send(message);
            }
        }
        connected_.store(connected, std::memory_order_relaxed);
        if (connected && turn_) {
            turn_(connection);
        }
        if (serve(connection)) {
            wake_now();
        }
        connection.wait();
        wake_.wait();
        block();
        wake_.drain();
    }
    connected_.store(false, std::memory_order_relaxed);
}

// True when there may be more to receive.
bool PacketInThread::serve(OpenFlowConnection& connection) {
    for (std::size_t i = 0; i < kMessagesPerTurn; ++i) {
        const auto message = connection.receive();
        if (!message) {
            return false;
        }
        handler_(connection, decode(*message));
    }
    return true;
}

}  // namespace hnv::ovs
