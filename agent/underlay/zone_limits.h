// How many connections a connection tracking zone may hold, as the switch is told: through the
// control socket of ovs-vswitchd (dpctl/ct-set-limits), since OpenFlow has no word for it. The
// switch forgets the limits when it restarts.
//
// A new connection beyond its zone's limit is not remembered; what becomes of its packets is up to
// the flows (Open vSwitch 3.1, lib/conntrack.c), in the kernel's datapath they are dropped.
// Connections that a zone held before it had a limit are not counted.
//
// Only zones that an owner names here are ever changed: limits of others' zones stay.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/objects.h"
#include "underlay/switch_routes.h"

namespace hnv::underlay {

struct ZoneLimit {
    std::uint16_t zone = 0;
    std::uint32_t limit = 0;  // Connections; 0: none.
    auto operator<=>(const ZoneLimit&) const = default;
};

// Those of dpctl/ct-get-limits; lines of any other form are skipped.
[[nodiscard]] std::map<std::uint16_t, std::uint32_t> parse_zone_limits(std::string_view shown);

// What makes the zones of `wanted` have their limits, and those of `given_up` none, in the datapath
// of that name. Of two limits for one zone the lower holds.
[[nodiscard]] std::vector<SwitchCommand> zone_limit_commands(
    const std::string& datapath, const std::map<std::uint16_t, std::uint32_t>& found,
    std::span<const ZoneLimit> wanted, const std::set<std::uint16_t>& given_up);

// Keeps the switch's limits at what is wanted.
//
// Thread: one thread, the one whose poll loop calls run() and wait(). A switch that does not answer
// its control socket holds it up for a fraction of a second, and is then left alone for a while.
class ZoneLimits {
  public:
    explicit ZoneLimits(std::string ovs_run_dir) : ovs_run_dir_(std::move(ovs_run_dir)) {}

    // All zones of an owner, those without a limit too; empty: it has none any more.
    void want(const policy::ObjectId& owner, std::vector<ZoneLimit> zones);
    // What the switch holds has to be looked at: it has restarted, or is seen for the first time.
    void look_again();

    // `datapath_type`: of the integration bridge, empty while it or its switch can't be reached.
    void run(const std::string& datapath_type);
    void wait() const;

    // Why the limits are not in force, for a person; empty when all is well.
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    [[nodiscard]] bool refresh(const std::string& datapath_type);

    std::string ovs_run_dir_;
    std::map<policy::ObjectId, std::vector<ZoneLimit>> wanted_;
    std::set<std::uint16_t> given_up_;  // Zones that may have a limit of ours, and have no owner.
    bool due_ = true;                   // At next_refresh_ the switch is looked at.
    std::int64_t next_refresh_ = 0;     // now_msec()
    std::string problem_;
};

}  // namespace hnv::underlay
