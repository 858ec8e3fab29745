// The limit of what firewall rules send to the audit log: one for the host, since all of it ends in
// one file.
#include <algorithm>

#include "pipeline/stages.h"

namespace hnv::pipeline {

void audit_host(const policy::HostView& host, FlowSet& out) {
    const std::uint32_t limit = host.audit_limit_pps.value_or(kDefaultAuditLimitPps);
    out.meters.push_back(
        {meter_id(MeterKind::Audit, 0), limit, std::max(limit / kMeterBurstDivisor, 1U)});
}

}  // namespace hnv::pipeline
