#include "southbound/flow_store.h"

#include <arpa/inet.h>

#include <cstring>

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
    std::unordered_map<std::string, const ovs::Flow*> wanted;
    for (const ovs::Flow& flow : flows) {
        wanted.emplace(flow.key(), &flow);
    }
    const auto known = owners_.find(owner);
    if (known != owners_.end()) {
        for (const Entry& entry : unpack(known->second)) {
            --flows_;
            const auto still = wanted.find(std::string(entry.key));
            if (still == wanted.end()) {
                changes.push_back({FlowChange::Kind::Delete, owner, flow_of_key(entry.key)});
            } else if (entry.fingerprint != fingerprint(*still->second)) {
                changes.push_back({FlowChange::Kind::Modify, owner, *still->second});
            }
        }
    }
    // What is new: wanted, and not among the old entries.
    Packed packed;
    std::unordered_map<std::string_view, bool> before;
    if (known != owners_.end()) {
        for (const Entry& entry : unpack(known->second)) {
            before.emplace(entry.key, true);
        }
    }
    for (const auto& [key, flow] : wanted) {
        pack(packed, key, fingerprint(*flow));
        ++flows_;
        if (!before.contains(key)) {
            changes.push_back({FlowChange::Kind::Add, owner, *flow});
        }
    }
    if (packed.empty()) {
        if (known != owners_.end()) {
            owners_.erase(known);
        }
        return;
    }
    owners_.insert_or_assign(owner, std::move(packed));
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
