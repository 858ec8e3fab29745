// When the router advertises itself unasked. A guest solicits only when its link comes up (RFC 4861
// section 6.3.7): it would lose its default route when the lifetime ends, and not hear of a change.
//
// Each guest is advertised to once in kAdvertisementMsec, at a time of its own, so that thousands
// do not come together; and within moments of a change of what it is told. So the cost is bounded
// by the ports: an advertisement for each in half an hour, whatever else happens.
//
// Thread: one; the LeaseTable is shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "policy/leases.h"
#include "responder/frame.h"

namespace hnv::responder {

inline constexpr std::int64_t kAdvertisementMsec = 1'800'000;

class AdvertisementSchedule {
  public:
    explicit AdvertisementSchedule(const policy::LeaseTable& leases) : leases_(leases) {}

    struct Due {
        std::uint32_t port = 0;  // OpenFlow port.
        Frame frame;             // With the VLAN tag that the guest uses, if it does.
    };
    // Those that are due at `now` (milliseconds of any monotonic clock), `limit` at most.
    [[nodiscard]] std::vector<Due> take(std::int64_t now, std::size_t limit);

  private:
    struct State {
        policy::LeaseTable::Entry config;
        std::size_t said = 0;  // A hash of the advertisement.
        std::int64_t due = 0;
        bool seen = false;
    };
    void look(std::int64_t now);

    const policy::LeaseTable& leases_;
    std::uint64_t generation_ = 0;
    std::map<std::pair<policy::PortKey, std::uint16_t>, State> guests_;
};

}  // namespace hnv::responder
