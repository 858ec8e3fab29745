#include "policy/leases.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace hnv::policy {

PortKey key_of_port(std::string_view name) {
    PortKey hash = 0xcbf29ce484222325ULL;
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

LeaseTable::Entry LeaseTable::find(PortKey port, std::uint16_t vlan) const {
    const std::shared_lock lock(mutex_);
    const auto entries = ports_.find(port);
    if (entries == ports_.end()) {
        return nullptr;
    }
    const auto entry = std::ranges::find_if(
        entries->second, [vlan](const Entry& each) { return each->vlan == vlan; });
    return entry == entries->second.end() ? nullptr : *entry;
}

std::vector<LeaseTable::Advertised> LeaseTable::advertised() const {
    std::vector<Advertised> found;
    const std::shared_lock lock(mutex_);
    for (const auto& [port, entries] : ports_) {
        for (const Entry& each : entries) {
            if (each->advertised) {
                found.push_back({port, each});
            }
        }
    }
    return found;
}

void LeaseTable::set(PortKey port, std::vector<GuestConfig> configs) {
    // This thread is the only one that changes it: it may look without the lock.
    const auto known = ports_.find(port);
    const bool same = known == ports_.end()
                          ? configs.empty()
                          : std::ranges::equal(
                                known->second, configs, {},
                                [](const Entry& each) -> const auto& { return *each; });
    if (same) {
        return;
    }
    std::vector<Entry> entries;
    entries.reserve(configs.size());
    for (GuestConfig& config : configs) {
        entries.push_back(std::make_shared<const GuestConfig>(std::move(config)));
    }
    const std::unique_lock lock(mutex_);
    if (entries.empty()) {
        ports_.erase(port);
    } else {
        ports_.insert_or_assign(port, std::move(entries));
    }
    generation_.fetch_add(1, std::memory_order_release);
}

}  // namespace hnv::policy
