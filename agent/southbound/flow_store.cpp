#include "southbound/flow_store.h"

#include <arpa/inet.h>

#include <cstring>
#include <unordered_set>

namespace hnv::southbound {

namespace {

struct Entry {
    std::string_view key;
    std::uint64_t fingerprint = 0;
};

void pack(std::string& packed, std::string_view key, std::uint64_t fingerprint) {
    const auto length = static_cast<std::uint16_t>(key.size());
    packed.append(reinterpret_cast<const char*>(&length), sizeof length);
    packed.append(key);
    packed.append(reinterpret_cast<const char*>(&fingerprint), sizeof fingerprint);
}

[[nodiscard]] std::vector<Entry> unpack(std::string_view packed) {
    std::vector<Entry> entries;
    while (!packed.empty()) {
        std::uint16_t length = 0;
        std::memcpy(&length, packed.data(), sizeof length);
        packed.remove_prefix(sizeof length);
        Entry entry;
        entry.key = packed.substr(0, length);
        packed.remove_prefix(length);
        std::memcpy(&entry.fingerprint, packed.data(), sizeof entry.fingerprint);
        packed.remove_prefix(sizeof entry.fingerprint);
        entries.push_back(entry);
    }
    return entries;
}

}  // namespace

std::uint64_t key_hash(std::string_view key) { return std::hash<std::string_view>{}(key); }

std::uint64_t fingerprint(const ovs::Flow& flow) {
    return std::hash<std::string_view>{}(flow.instructions) ^ (flow.cookie * 0x9e3779b97f4a7c15ULL);
}

ovs::Flow flow_of_key(std::string_view key) {
    ovs::Flow flow;
    std::uint16_t priority = 0;
    flow.table = static_cast<std::uint8_t>(key[0]);
    std::memcpy(&priority, key.data() + 1, sizeof priority);
    flow.priority = ntohs(priority);
    flow.match = key.substr(1 + sizeof priority);
    return flow;
}

void FlowStore::set(const policy::ObjectId& owner, std::span<const ovs::Flow> flows,
                    std::vector<FlowChange>& changes) {
    Packed packed;
    std::vector<std::pair<ovs::Bytes, const ovs::Flow*>> wanted;
    std::unordered_set<ovs::Bytes> seen;
    for (const ovs::Flow& flow : flows) {
        ovs::Bytes key = flow.key();
        // Two rules may say the same; the first of equal keys counts.
        if (flows.size() == 1 || seen.insert(key).second) {
            pack(packed, key, fingerprint(flow));
            wanted.emplace_back(std::move(key), &flow);
        }
    }
    const auto known = owners_.find(owner);
    const Packed before = known == owners_.end() ? Packed() : std::move(known->second);
    std::unordered_map<std::string_view, std::uint64_t> gone;
    if (before != packed) {
        for (const Entry& entry : unpack(before)) {
            gone.emplace(entry.key, entry.fingerprint);
        }
        const std::size_t count = gone.size();
        for (const auto& [key, flow] : wanted) {
            const auto same = gone.find(key);
            if (same == gone.end()) {
                changes.push_back({FlowChange::Kind::Add, owner, *flow});
            } else if (same->second != fingerprint(*flow)) {
                changes.push_back({FlowChange::Kind::Modify, owner, *flow});
            }
            if (same != gone.end()) {
                gone.erase(same);
            }
        }
        for (const auto& [key, unused] : gone) {
            changes.push_back({FlowChange::Kind::Delete, owner, flow_of_key(key)});
        }
        flows_ = flows_ - count + wanted.size();
    }
    if (!packed.empty()) {
        owners_.insert_or_assign(owner, std::move(packed));
    } else if (known != owners_.end()) {
        owners_.erase(known);
    }
}

void FlowStore::for_each(const std::function<void(const policy::ObjectId&, std::string_view,
                                                  std::uint64_t)>& visit) const {
    for (const auto& [owner, packed] : owners_) {
        for (const Entry& entry : unpack(packed)) {
            visit(owner, entry.key, entry.fingerprint);
        }
    }
}

}  // namespace hnv::southbound
