// MACs that ports of hardware_vtep show: into the model, and out to the databases.
#include <utility>

#include "agent.h"
#include "ovs-integration/event_loop.h"
#include "ovs-integration/log.h"

namespace hnv {

namespace {

constexpr const char* kModule = "agent";
// The switch may come up after the agent, and its ports one by one.
constexpr std::int64_t kRememberMsec = 15'000;

}  // namespace

void Agent::learn() {
    const auto sightings = listener_.take();
    if (!underlay_known_) {
        return;  // What is remembered comes first.
    }
    const std::int64_t now = ovs::now_msec();
    bool changed = macs_.take(sightings, now);
    changed |= macs_.run(now);
    // The ports that have come since.
    changed |= std::erase_if(remembered_, [this](const auto& each) {
                   return model_.restore(each.first, each.second);
               }) != 0;
    if (changed) {
        southbound_.apply(model_.commit());
        status_due_ = true;
    }
}

// Before the switch is compared with what it should be: its flows of these MACs are right.
void Agent::restore_learned() {
    for (const auto& [key, status] : vtep_local_macs_.remembered()) {
        if (!model_.restore(key, status)) {
            remembered_.emplace(key, status);
        }
    }
    remembered_until_ = ovs::now_msec() + kRememberMsec;
    if (model_.learned_macs() != 0) {
        log::info(kModule, std::to_string(model_.learned_macs()) + " learned MACs are remembered");
        southbound_.apply(model_.commit());
    }
}

void Agent::tell_learned() {
    const std::int64_t now = ovs::now_msec();
    if (!remembered_.empty() && now >= remembered_until_) {
        for (const auto& [key, status] : std::exchange(remembered_, {})) {
            vtep_local_macs_.look_again(key);
        }
    }
    if (!remembered_.empty()) {
        ovs::wake_at(remembered_until_);
    }
    // Of an agent whose switch is away: what was told of the ports here may still be so.
    if (underlay_known_) {
        vtep_local_macs_.write(model_, now,
                               [this](const auto& key) { return remembered_.contains(key); });
        vtep_local_macs_.wait();
    }
}

}  // namespace hnv
