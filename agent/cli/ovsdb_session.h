// Reading and writing the agent's databases over one OVSDB connection.
#pragma once

#include <json/value.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/database_rows.h"
#include "cli/policy_diff.h"
#include "ovs-integration/ovsdb_client.h"
#include "ovs-integration/result.h"

namespace hnv::cli {

// Splits a plan's groups into transactions of at most `limit` operations, but never a group.
[[nodiscard]] std::vector<Operations> split_plan(const Plan& plan, std::size_t limit);

// Replaces named-uuids of rows that an earlier transaction has made by their real uuids.
[[nodiscard]] Json::Value with_known_uuids(const Json::Value& value,
                                           const std::map<std::string, std::string>& known);

// The first error in a transaction's results, with the operation at fault; nothing if it committed.
[[nodiscard]] std::optional<Error> transaction_error(const Operations& operations,
                                                     const Json::Value& results);

class OvsdbSession {
  public:
    static Result<OvsdbSession> connect(const std::string& remote);

    // One transaction; gives the array of results if it committed.
    Result<Json::Value> transact(std::string_view database, const Operations& operations,
                                 std::chrono::milliseconds timeout);

    Result<HostRows> read_host();
    Result<FirewallRows> read_firewall();
    Result<VtepRows> read_vtep();
    // Rows of the agent's Fault table.
    Result<std::size_t> count_faults();

    // Carries out a plan that is not empty, in transactions of some 1,000 operations; each raises
    // next_cfg by one. Gives the last next_cfg. `who` goes into the database's log as a comment.
    Result<std::int64_t> execute(const Plan& plan, const SequenceRow& sequence,
                                 const std::string& who);

    // Waits until cur_cfg >= `wanted`, without polling: the server answers when cur_cfg changes.
    Status wait_for_cur_cfg(std::string_view database, const std::string& table,
                            std::int64_t wanted, std::chrono::steady_clock::time_point deadline);

  private:
    explicit OvsdbSession(ovs::OvsdbClient client) : client_(std::move(client)) {}

    ovs::OvsdbClient client_;
};

}  // namespace hnv::cli
