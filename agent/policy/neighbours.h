// Who has which customer address: (VSID, CA) → MAC, for the ARP responder.
//
// The one part of the policy that two threads see: the policy's thread writes it, responders read
// it. It is split into shards with a lock each, held for one look-up or one change, so that an ARP
// request never waits for the programming of the switch, and a bulk change never stops ARP.
//
// Invariant: an entry is here exactly while the policy model would answer for that address.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <unordered_map>

#include "ovs-integration/address.h"

namespace hnv::policy {

class NeighbourTable {
  public:
    // Any thread.
    [[nodiscard]] std::optional<MacAddress> find(std::uint32_t vsid, const IpAddress& ca) const;
    [[nodiscard]] std::size_t size() const;

    // The policy's thread.
    void set(std::uint32_t vsid, const IpAddress& ca, const MacAddress& mac);
    void erase(std::uint32_t vsid, const IpAddress& ca);

  private:
    struct Key {
        IpAddress ca;
        std::uint32_t vsid = 0;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct Shard {
        mutable std::shared_mutex mutex;
        std::unordered_map<Key, MacAddress, KeyHash> entries;
    };

    static constexpr std::size_t kShards = 64;

    [[nodiscard]] Shard& shard(const Key& key);
    [[nodiscard]] const Shard& shard(const Key& key) const;

    std::array<Shard, kShards> shards_;
};

}  // namespace hnv::policy
