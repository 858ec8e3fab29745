#include "cli/ovsdb_session.h"

#include <algorithm>

#include "cli/ovsdb_json.h"

namespace hnv::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectTimeout{5'000};
// A transaction of 1,000 operations, or the reading of a million rows, on a busy machine.
constexpr milliseconds kTransactionTimeout{60'000};
constexpr std::size_t kOperationsPerTransaction = 1'000;

std::string describe(const Json::Value& operation) {
    return as_string(operation["op"]) + " in " + as_string(operation["table"]) + " of " +
           compact_text(operation.isMember("row") ? operation["row"] : operation["where"]);
}

Json::Value comment_operation(const std::string& text) {
    Json::Value operation(Json::objectValue);
    operation["op"] = "comment";
    operation["comment"] = text;
    return operation;
}

Json::Value durable_commit_operation() {
    Json::Value operation(Json::objectValue);
    operation["op"] = "commit";
    operation["durable"] = true;
    return operation;
}

// Answered when the row's cur_cfg is another than `seen`, or with an error after `timeout`.
Json::Value wait_operation(const std::string& table, std::int64_t seen, milliseconds timeout) {
    Json::Value row(Json::objectValue);
    row["cur_cfg"] = integer_json(seen);
    Json::Value operation = select_operation(table, {"cur_cfg"});
    operation["op"] = "wait";
    operation["timeout"] = integer_json(timeout.count());
    operation["until"] = "!=";
    operation["rows"] = Json::Value(Json::arrayValue);
    operation["rows"].append(std::move(row));
    return operation;
}

void remember_uuids(const Operations& operations, const Json::Value& results,
                    std::map<std::string, std::string>& known) {
    for (Json::ArrayIndex i = 0; i < operations.size(); ++i) {
        if (operations[i].isMember("uuid-name")) {
            known[as_string(operations[i]["uuid-name"])] = as_uuid(results[i]["uuid"]);
        }
    }
}

}  // namespace

std::vector<Operations> split_plan(const Plan& plan, std::size_t limit) {
    std::vector<Operations> transactions;
    for (const Operations& group : plan.groups) {
        if (transactions.empty() || transactions.back().size() + group.size() > limit) {
            transactions.emplace_back();
        }
        Operations& last = transactions.back();
        last.insert(last.end(), group.begin(), group.end());
    }
    return transactions;
}

Json::Value with_known_uuids(const Json::Value& value,
                             const std::map<std::string, std::string>& known) {
    if (value.isArray() && value.size() == 2 && value[0] == "named-uuid") {
        const auto found = known.find(as_string(value[1]));
        return found == known.end() ? value : uuid_json(found->second);
    }
    Json::Value copy = value;
    if (value.isArray() || value.isObject()) {
        std::transform(value.begin(), value.end(), copy.begin(),
                       [&known](const Json::Value& v) { return with_known_uuids(v, known); });
    }
    return copy;
}

std::optional<Error> transaction_error(const Operations& operations, const Json::Value& results) {
    if (!results.isArray()) {
        return Error("the server's answer is not an array");
    }
    for (Json::ArrayIndex i = 0; i < results.size(); ++i) {
        if (!results[i].isObject() || !results[i].isMember("error")) {
            continue;
        }
        std::string text = as_string(results[i]["error"]);
        if (results[i].isMember("details")) {
            text += ": " + as_string(results[i]["details"]);
        }
        // One result more than there are operations tells of an error at the commit.
        return i < operations.size() ? Error(text).with_context(describe(operations[i]))
                                     : Error(text);
    }
    if (results.size() < operations.size()) {
        return Error("the server's answer is too short");
    }
    return std::nullopt;
}

Result<OvsdbSession> OvsdbSession::connect(const std::string& remote) {
    auto client = ovs::OvsdbClient::connect(remote, kConnectTimeout);
    if (!client) {
        return client.error();
    }
    return OvsdbSession(std::move(*client));
}

Result<Json::Value> OvsdbSession::transact(std::string_view database, const Operations& operations,
                                           milliseconds timeout) {
    Json::Value params(Json::arrayValue);
    params.append(std::string(database));
    for (const Json::Value& operation : operations) {
        params.append(operation);
    }
    auto answer = client_.call("transact", compact_text(params), timeout);
    if (!answer) {
        return answer.error().with_context(database);
    }
    auto results = parse_json(*answer);
    if (!results) {
        return Error("the server's answer is not JSON").with_context(database);
    }
    if (const auto error = transaction_error(operations, *results)) {
        return error->with_context(database);
    }
    return std::move(*results);
}

Result<HostRows> OvsdbSession::read_host() {
    const auto results = transact(kHostDatabase, host_select(), kTransactionTimeout);
    return results ? read_host_rows(*results) : results.error();
}

Result<FirewallRows> OvsdbSession::read_firewall() {
    const auto results = transact(kFirewallDatabase, firewall_select(), kTransactionTimeout);
    return results ? read_firewall_rows(*results) : results.error();
}

Result<VtepRows> OvsdbSession::read_vtep() {
    const auto results = transact(kVtepDatabase, vtep_select(), kTransactionTimeout);
    return results ? read_vtep_rows(*results) : results.error();
}

Result<std::size_t> OvsdbSession::count_faults() {
    const auto results =
        transact(kHostDatabase, {select_operation("Fault", {"_uuid"})}, kTransactionTimeout);
    if (!results) {
        return results.error();
    }
    return std::size_t{(*results)[0]["rows"].size()};
}

Result<std::int64_t> OvsdbSession::execute(const Plan& plan, const SequenceRow& sequence,
                                           const std::string& who) {
    std::map<std::string, std::string> known;
    std::int64_t next_cfg = sequence.next_cfg;
    auto transactions = split_plan(plan, kOperationsPerTransaction);
    for (std::size_t i = 0; i < transactions.size(); ++i) {
        Operations operations;
        for (const Json::Value& operation : transactions[i]) {
            operations.push_back(known.empty() ? operation : with_known_uuids(operation, known));
        }
        operations.push_back(
            mutate_operation(sequence.table, sequence.uuid, "next_cfg", "+=", integer_json(1)));
        const auto read_back = static_cast<Json::ArrayIndex>(operations.size());
        operations.push_back(select_operation(sequence.table, {"next_cfg"}));
        operations.push_back(comment_operation(who));
        if (i + 1 == transactions.size()) {
            operations.push_back(durable_commit_operation());
        }
        const auto results = transact(plan.database, operations, kTransactionTimeout);
        if (!results) {
            return i == 0 ? results.error()
                          : Error(results.error().message() + " (after " + std::to_string(i) +
                                  " of " + std::to_string(transactions.size()) +
                                  " transactions, which are written)");
        }
        remember_uuids(operations, *results, known);
        next_cfg = as_integer((*results)[read_back]["rows"][0]["next_cfg"]);
    }
    return next_cfg;
}

Status OvsdbSession::wait_for_cur_cfg(std::string_view database, const std::string& table,
                                      std::int64_t wanted,
                                      std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        const auto results =
            transact(database, {select_operation(table, {"cur_cfg"})}, kTransactionTimeout);
        if (!results) {
            return results.error();
        }
        const std::int64_t seen = as_integer((*results)[0]["rows"][0]["cur_cfg"]);
        if (seen >= wanted) {
            return {};
        }
        const auto left =
            std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left <= milliseconds(0)) {
            return Error("cur_cfg is still " + std::to_string(seen) + ", not " +
                         std::to_string(wanted))
                .with_context(database);
        }
        const auto changed =
            transact(database, {wait_operation(table, seen, left)}, left + kConnectTimeout);
        // At the timeout of the wait there is one more look.
        if (!changed && changed.error().message().find("timed out") == std::string::npos) {
            return changed.error();
        }
    }
}

}  // namespace hnv::cli
