// What the agent reads of the databases that it serves, and writes into them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/row.h"
#include "ovs-integration/server_limits.h"

namespace hnv::ovs {

struct DatabaseInfo {
    std::string name;
    std::string version;
};

struct StorageState {
    std::string problem;       // Why nothing can be written at present, and what to do; or empty.
    std::uint64_t failed = 0;  // Writes so far, the server's own attempts included.
    bool operator==(const StorageState&) const = default;
};

class Databases {
  public:
    virtual ~Databases() = default;

    // Calls `visit` for each row of a table as it stands as far as has been heard. `visit` must not
    // write.
    virtual void for_each_row(std::string_view database, std::string_view table,
                              const std::function<void(const Row&)>& visit) const = 0;

    // Has RFC 7047 operations ("[{\"op\":\"insert\",...},...]", without the database name) executed
    // as one transaction of the agent's own, sooner or later, in the order of the calls. A failure
    // is logged with `what` they were for.
    virtual void post(std::string_view database, const std::string& operations_json,
                      const std::string& what) = 0;

    // The public databases in the order in which they were opened.
    [[nodiscard]] virtual std::vector<DatabaseInfo> databases() const = 0;
    // What is wrong with the remotes, one a line; empty: nothing.
    [[nodiscard]] virtual std::string remote_error() const = 0;
    // Transactions that can't be written to disk are refused, the agent's own among them; the
    // server finds out by itself when that is over.
    [[nodiscard]] virtual StorageState storage() const = 0;
    // Any thread.
    [[nodiscard]] virtual ServerCounters counters() const = 0;
};

}  // namespace hnv::ovs
