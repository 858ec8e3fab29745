// The Fault rows of hnv_host: exactly one for each fault that stands.
//
// Cost follows the faults that change. What a client does to the rows is noticed and put right.
#pragma once

#include <map>
#include <string>

#include "northbound/operations.h"
#include "ovs-integration/ovsdb_server.h"
#include "policy/faults.h"

namespace hnv::northbound {

class FaultWriter {
  public:
    explicit FaultWriter(ovs::Databases& server) : server_(server) {}

    // Takes the changes of `faults` and writes them. The first time the rows that an earlier life
    // of the agent left are taken over: a fault that still stands keeps its time.
    void write(policy::Faults& faults);
    // A committed change of a Fault row, the agent's own included.
    void on_row(const ovs::RowChange& change);
    // What was written may not have been taken: write() looks at the rows as they stand.
    void write_again() { disturbed_ = true; }

  private:
    struct Wanted {
        policy::Faults::Id id;
        std::string message;
    };

    void reconcile(const policy::Faults& faults);
    void insert(const policy::Faults::Id& id, const std::string& message, Operations& operations);

    ovs::Databases& server_;
    std::map<policy::Faults::Id, Uuid> rows_;
    std::map<Uuid, Wanted> wanted_;  // The rows that there should be.
    bool disturbed_ = true;          // The rows may not be what they should be.
};

}  // namespace hnv::northbound
