// Which port an OpenFlow port number stands for now, for what tells people of packets.
//
// Thread: any; the policy's thread writes, others read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <unordered_map>

namespace hnv::policy {

class PortNames {
  public:
    // "#7" for a number that is no port's now.
    [[nodiscard]] std::string find(std::uint32_t ofport) const {
        const std::shared_lock lock(mutex_);
        const auto entry = names_.find(ofport);
        return entry == names_.end() ? "#" + std::to_string(ofport) : entry->second;
    }
    // All that there are.
    void assign(std::unordered_map<std::uint32_t, std::string> names) {
        const std::unique_lock lock(mutex_);
        names_ = std::move(names);
    }

  private:
    mutable std::shared_mutex mutex_;
    std::unordered_map<std::uint32_t, std::string> names_;
};

}  // namespace hnv::policy
