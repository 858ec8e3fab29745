// A transaction of the agent's own, as RFC 7047 section 5.2 operations.
#pragma once

#include <json/value.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/databases.h"

namespace hnv::northbound {

// Values in OVSDB's JSON notation (RFC 7047 section 5.1).
[[nodiscard]] Json::Value json_uuid(const Uuid& uuid);
[[nodiscard]] Json::Value json_named_uuid(const std::string& name);
[[nodiscard]] Json::Value json_set(const std::vector<Json::Value>& items);
[[nodiscard]] Json::Value json_map(const std::vector<std::pair<std::string, std::string>>& items);

class Operations {
  public:
    // Returns the name by which the new row can be referred to.
    std::string insert(const std::string& table, Json::Value row);
    // With a UUID of our choice (Open vSwitch's extension of RFC 7047, ovsdb-server(7)).
    void insert(const std::string& table, Json::Value row, const Uuid& uuid);
    void update(const std::string& table, const Uuid& row, Json::Value values);
    // Writes `value` into a column of the row that is `present` now; does nothing otherwise.
    void update_where(const std::string& table, const Uuid& row, const std::string& column,
                      Json::Value present, Json::Value value);
    void remove(const std::string& table, const Uuid& row);
    // Adds `value` to a set column of the row.
    void add_to_set(const std::string& table, const Uuid& row, const std::string& column,
                    Json::Value value);

    void remove_from_set(const std::string& table, const Uuid& row, const std::string& column,
                         Json::Value value);
    // The same of several values.
    void add_to_set(const std::string& table, const Uuid& row, const std::string& column,
                    const std::vector<Json::Value>& values);
    void remove_from_set(const std::string& table, const Uuid& row, const std::string& column,
                         const std::vector<Json::Value>& values);

    [[nodiscard]] bool empty() const { return operations_.empty(); }
    [[nodiscard]] std::size_t size() const { return operations_.size(); }
    // Executes them; a failure is logged with `what` they were for.
    void commit(ovs::Databases& server, std::string_view database, const std::string& what);

  private:
    void mutate_set(const char* mutator, const std::string& table, const Uuid& row,
                    const std::string& column, const std::vector<Json::Value>& values);

    Json::Value operations_{Json::arrayValue};
    unsigned names_ = 0;
};

}  // namespace hnv::northbound
