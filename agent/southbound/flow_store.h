// Which flows should be in the switch, by the policy object that owns them.
//
// Whoever changes an object hands over its whole new set; the store says what that adds, modifies
// and deletes. A flow is not kept, only its key and a fingerprint of the rest: a flow that is
// needed again is compiled again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ovs-integration/flow.h"
#include "policy/objects.h"

namespace hnv::southbound {

struct FlowChange {
    enum class Kind : std::uint8_t { Add, Modify, Delete };
    Kind kind{};
    policy::ObjectId owner;
    ovs::Flow flow;  // For Delete only table, priority and match.
};

// Of a flow's key.
[[nodiscard]] std::uint64_t key_hash(std::string_view key);
// Of a flow's cookie and instructions.
[[nodiscard]] std::uint64_t fingerprint(const ovs::Flow& flow);
// Table, priority and match from a key.
[[nodiscard]] ovs::Flow flow_of_key(std::string_view key);

class FlowStore {
  public:
    // Replaces the owner's flows and appends the difference. Invariant, kept by the pipeline: no
    // two owners have a flow of the same key.
    void set(const policy::ObjectId& owner, std::span<const ovs::Flow> flows,
             std::vector<FlowChange>& changes);

    [[nodiscard]] std::size_t size() const { return flows_; }
    void for_each(const std::function<void(const policy::ObjectId& owner, std::string_view key,
                                           std::uint64_t fingerprint)>& visit) const;

  private:
    // An owner's flows, packed: for each the key's length (2 bytes), the key, the fingerprint (8).
    using Packed = std::string;

    std::unordered_map<policy::ObjectId, Packed> owners_;
    std::size_t flows_ = 0;
};

}  // namespace hnv::southbound
