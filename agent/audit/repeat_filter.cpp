#include "audit/repeat_filter.h"

#include <cstring>
#include <random>
#include <utility>

namespace hnv::audit {

namespace {

[[nodiscard]] std::uint64_t random_seed() {
    std::random_device device;
    return static_cast<std::uint64_t>(device()) << 32 | device();
}

[[nodiscard]] std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    return hash ^ hash >> 32;
}

[[nodiscard]] std::uint64_t mix(std::uint64_t hash, const IpAddress& address) {
    std::uint64_t halves[2];
    std::memcpy(halves, address.bytes().data(), sizeof halves);
    return mix(mix(hash, halves[0]), halves[1]);
}

}  // namespace

std::size_t RepeatFilter::Hash::operator()(const Key& key) const noexcept {
    const FlowTuple& flow = key.flow;
    std::uint64_t hash = mix(mix(seed, key.rule), key.port);
    hash = mix(mix(hash, flow.source), flow.destination);
    if (flow.ports) {
        hash = mix(hash, std::uint64_t{flow.ports->source} << 16 | flow.ports->destination);
    } else if (flow.icmp) {
        hash = mix(hash, std::uint64_t{flow.icmp->type} << 8 | flow.icmp->code);
    }
    return mix(hash, flow.protocol);
}

RepeatFilter::RepeatFilter(std::size_t capacity, Clock::duration window)
    : capacity_(capacity), window_(window), entries_(0, Hash{random_seed()}) {}

std::optional<std::uint64_t> RepeatFilter::admit(const Key& key, Clock::time_point now) {
    if (const auto known = entries_.find(key); known != entries_.end()) {
        Entry& entry = known->second;
        if (now - entry.admitted < window_) {
            ++entry.repeats;
            return std::nullopt;
        }
        entry.admitted = now;
        order_.splice(order_.end(), order_, entry.place);
        return std::exchange(entry.repeats, 0U);
    }
    if (entries_.size() >= capacity_) {
        const Key* const oldest = order_.front();
        order_.pop_front();
        entries_.erase(entries_.find(*oldest));
    }
    const auto added = entries_.emplace(key, Entry{now, 0, {}}).first;
    added->second.place = order_.insert(order_.end(), &added->first);
    return 0;
}

}  // namespace hnv::audit
