#include "responder/advertisement_schedule.h"

#include <functional>
#include <optional>
#include <string_view>

#include "responder/router_advertisement.h"

namespace hnv::responder {

namespace {

[[nodiscard]] std::size_t hash_of(const policy::GuestConfig& config) {
    const Frame frame = build_router_advertisement(config, std::nullopt);
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(frame.data()), frame.size()});
}

// A guest's own moment in the half hour.
[[nodiscard]] std::int64_t spread(policy::PortKey port) {
    return static_cast<std::int64_t>(port % static_cast<std::uint64_t>(kAdvertisementMsec));
}

}  // namespace

// Takes what the table says now. A guest that is new here has asked itself, or was told by an
// earlier life of the agent.
void AdvertisementSchedule::look(std::int64_t now) {
    for (auto& [key, state] : guests_) {
        state.seen = false;
    }
    for (auto& [port, config] : leases_.advertised()) {
        const std::size_t said = hash_of(*config);
        const auto [entry, fresh] = guests_.try_emplace({port, config->vlan});
        State& state = entry->second;
        if (fresh) {
            state.due = now + spread(port);
        } else if (state.said != said) {
            state.due = now;
        }
        state.config = config;
        state.said = said;
        state.seen = true;
    }
    std::erase_if(guests_, [](const auto& guest) { return !guest.second.seen; });
}

std::vector<AdvertisementSchedule::Due> AdvertisementSchedule::take(std::int64_t now,
                                                                    std::size_t limit) {
    // Read before the table: a change that comes in between is looked at once more.
    if (const std::uint64_t generation = leases_.generation(); generation != generation_) {
        generation_ = generation;
        look(now);
    }
    std::vector<Due> due;
    for (auto& [key, state] : guests_) {
        if (state.due > now || due.size() == limit) {
            continue;
        }
        state.due = now + kAdvertisementMsec;
        Due& each = due.emplace_back(
            Due{state.config->ofport, build_router_advertisement(*state.config, std::nullopt)});
        if (state.config->vlan != 0) {
            each.frame.insert_vlan_tag(state.config->vlan);
        }
    }
    return due;
}

}  // namespace hnv::responder
