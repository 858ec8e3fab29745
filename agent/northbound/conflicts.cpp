#include "northbound/conflicts.h"

#include <array>

#include "policy/faults.h"

namespace hnv::northbound {

std::unordered_set<Uuid> rows_in_conflict(const ovs::Databases& server) {
    using policy::FaultKey;
    std::unordered_set<Uuid> rows;
    server.for_each_row("hnv_host", "Fault", [&rows](const ovs::Row& fault) {
        const auto row = fault.reference("row");
        for (const FaultKey key : policy::kFaultKeys) {
            if (row && policy::is_conflict(key) && fault.string("key") == to_string(key)) {
                rows.insert(*row);
            }
        }
    });
    return rows;
}

}  // namespace hnv::northbound
