#include "policy/neighbours.h"

#include <mutex>

namespace hnv::policy {

std::size_t NeighbourTable::KeyHash::operator()(const Key& key) const noexcept {
    return std::hash<IpAddress>{}(key.ca) ^ (key.vsid * 0x9e3779b97f4a7c15U);
}

// The shard comes from the hash's high bits: the map inside uses the low ones.
NeighbourTable::Shard& NeighbourTable::shard(const Key& key) {
    return shards_[KeyHash{}(key) >> 58];
}

const NeighbourTable::Shard& NeighbourTable::shard(const Key& key) const {
    return shards_[KeyHash{}(key) >> 58];
}

std::optional<MacAddress> NeighbourTable::find(std::uint32_t vsid, const IpAddress& ca) const {
    const Key key{ca, vsid};
    const Shard& home = shard(key);
    const std::shared_lock lock(home.mutex);
    const auto entry = home.entries.find(key);
    if (entry == home.entries.end()) {
        return std::nullopt;
    }
    return entry->second;
}

std::size_t NeighbourTable::size() const {
    std::size_t total = 0;
    for (const Shard& each : shards_) {
        const std::shared_lock lock(each.mutex);
        total += each.entries.size();
    }
    return total;
}

void NeighbourTable::set(std::uint32_t vsid, const IpAddress& ca, const MacAddress& mac) {
    const Key key{ca, vsid};
    Shard& home = shard(key);
    const std::unique_lock lock(home.mutex);
    home.entries.insert_or_assign(key, mac);
}

void NeighbourTable::erase(std::uint32_t vsid, const IpAddress& ca) {
    const Key key{ca, vsid};
    Shard& home = shard(key);
    const std::unique_lock lock(home.mutex);
    home.entries.erase(key);
}

}  // namespace hnv::policy
