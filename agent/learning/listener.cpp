#include "learning/listener.h"

#include <utility>
#include <variant>

#include "learning/sighting.h"
#include "pipeline/layout.h"

namespace hnv::learning {

Listener::Listener(std::string target)
    : thread_(std::move(target), "learning", pipeline::kLearningControllerId,
              [this](ovs::OpenFlowConnection&, const Result<ovs::Message>& message) {
                  handle(message);
              }) {}

std::vector<policy::Sighting> Listener::take() {
    heard_.drain();
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    return std::exchange(queue_, {});
}

ListenerCounters Listener::counters() const {
    return {count_.load(std::memory_order_relaxed), dropped_.load(std::memory_order_relaxed),
            malformed_.load(std::memory_order_relaxed)};
}

void Listener::handle(const Result<ovs::Message>& message) {
    const auto* packet_in = message ? std::get_if<ovs::PacketIn>(&*message) : nullptr;
    if (packet_in == nullptr) {
        return;  // Echo replies, changes of ports: nobody asked.
    }
    const auto sighting = read(*packet_in);
    if (!sighting) {
        malformed_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    count_.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    if (waiting_.contains(*sighting)) {
        return;
    }
    if (queue_.size() >= kQueue) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    waiting_.insert(*sighting);
    queue_.push_back(*sighting);
    if (queue_.size() == 1) {
        heard_.notify();
    }
}

}  // namespace hnv::learning
