// Which columns are the agent's, and what happens when somebody else writes one: it is put right,
// and said, in the log and in a counter.
//
// A column is put back to what it was before the others' write, but only where it still is what
// they made of it: the agent may have written anew meanwhile. Whole rows are put right by who
// writes them (status_writer.h, fault_writer.h, own_rows.h).
#pragma once

#include <json/value.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ovs-integration/ovsdb_server.h"

namespace hnv::northbound {

enum class ColumnType : std::uint8_t {
    Integer,
    Boolean,
    String,
    Strings,  // A set, or an optional one.
    StringMap,
};

struct OwnedColumn {
    std::string_view database;
    std::string_view table;
    const char* column;
    ColumnType type;
    // False: a row that somebody else inserts comes with its value (a switch with its name).
    bool at_insert = true;
};

enum class OwnedRows : std::uint8_t {
    All,    // Nobody else inserts, changes or deletes one.
    Child,  // The same, but rows go with what refers to them, whoever deletes that.
    Kept,   // The agent makes the row: nobody else deletes it.
    None,   // There are none: what somebody else inserts is deleted again.
};

struct OwnedTable {
    std::string_view database;
    std::string_view table;
    OwnedRows rows;
};

// Columns of the agent in tables that are not its own as a whole, sorted.
[[nodiscard]] std::span<const OwnedColumn> owned_columns();
// Tables whose rows are the agent's, sorted.
[[nodiscard]] std::span<const OwnedTable> owned_tables();

class Ownership {
  public:
    explicit Ownership(ovs::Databases& server) : server_(server) {}

    // A committed change, whoever made it.
    void on_row(std::string_view database, const ovs::RowChange& change);
    // Writes back what others have overwritten.
    void put_right();

    // Writes of others to what is the agent's, counted by column and by row, since the start.
    [[nodiscard]] std::uint64_t overruled() const { return overruled_; }

  private:
    using Cell = std::tuple<std::string_view, std::string_view, Uuid, std::string_view>;
    struct Repair {
        Json::Value ours;      // What the agent had there.
        Json::Value theirs;    // What is there now.
        std::int64_t due = 0;  // When to write it back (again), now_msec().
    };

    void check_rows(std::string_view database, const ovs::RowChange& change);
    void check_column(const OwnedColumn& owned, const ovs::RowChange& change);
    void say(std::string_view database, std::string_view table, const Uuid& row,
             const std::string& what);

    ovs::Databases& server_;
    // One for each column that others have overwritten, until the agent's write has been heard.
    std::map<Cell, Repair> repairs_;
    // Rows of others in tables that have none, by database and table: when to delete them (again).
    std::map<std::tuple<std::string_view, std::string_view, Uuid>, std::int64_t> strays_;
    std::uint64_t overruled_ = 0;
    // The log's share of it.
    std::int64_t said_since_ = 0;
    unsigned said_ = 0;
    std::uint64_t unsaid_ = 0;
};

}  // namespace hnv::northbound
