// An OVSDB database in memory, as far as hnvctl's transactions need one: operations by uuid,
// default values, references checked before garbage is collected, unique indexes; all or nothing.
#pragma once

#include <json/value.h>

#include <map>
#include <string>

#include "cli/database_rows.h"
#include "ovs-integration/result.h"

namespace hnv::cli::test {

class FakeDatabase {
  public:
    // `name`: of a schema in the source tree, e.g. "ms_vtep".
    explicit FakeDatabase(const std::string& name);

    // Gives the array of results; an error leaves the content as it was.
    Result<Json::Value> transact(const Operations& operations);

    [[nodiscard]] std::size_t row_count(const std::string& table) const;

  private:
    using Rows = std::map<std::string, Json::Value>;  // By uuid.

    Json::Value default_row(const std::string& table) const;
    Result<Json::Value> run(const Json::Value& operation);
    std::vector<std::string> matching(const std::string& table, const Json::Value& where) const;
    Json::Value resolve(const Json::Value& value) const;
    void mutate(Json::Value& cell, const std::string& mutator, const Json::Value& value) const;
    // The rows that `table`'s rows refer to are there; counts the references to each.
    Result<std::map<std::string, int>> count_references() const;
    Status check_indexes() const;
    bool collect_garbage(const std::map<std::string, int>& references);

    Json::Value schema_;
    std::map<std::string, Rows> tables_;
    std::map<std::string, std::string> named_;  // Of the running transaction.
    int last_uuid_ = 0;
};

}  // namespace hnv::cli::test
