// What is the agent's: the table of it, and the schemas' pages, which tell people of it.
#include "northbound/ownership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <tuple>

namespace hnv::northbound {
namespace {

using Name = std::tuple<std::string, std::string, std::string>;  // Database, table, column.

// Columns that are put right by who writes them, or that only the writer can put right: references
// to rows of the agent's own.
const std::set<Name> kReferences{{"ms_vtep", "Global", "switches"},
                                 {"ms_vtep", "Physical_Port", "vlan_stats"}};

std::string read_page(const std::string& database) {
    std::ifstream file(std::string(HNV_SOURCE_DIR) + "/schema/" + database + ".xml");
    return {std::istreambuf_iterator<char>(file), {}};
}

// The columns, not single keys of one, that the page gives to the agent alone.
std::set<Name> owned_by_page(const std::string& database) {
    const std::string page = read_page(database);
    EXPECT_FALSE(page.empty()) << database;
    const std::regex token(
        R"re(<table name="(\w+)"|<column name="(\w+)"( key=)?|Owner:\s+(agent|controller))re");
    std::set<Name> owned;
    std::string table;
    std::optional<std::string> column;
    for (std::sregex_iterator it(page.begin(), page.end(), token), end; it != end; ++it) {
        if ((*it)[1].matched) {
            table = (*it)[1];
        } else if ((*it)[2].matched) {
            column = (*it)[3].matched ? std::nullopt : std::optional<std::string>((*it)[2]);
        } else if (column && (*it)[4] == "agent") {
            owned.emplace(database, table, *column);
        }
    }
    return owned;
}

bool is_owned_table(const Name& name) {
    for (const OwnedTable& table : owned_tables()) {
        if (table.database == std::get<0>(name) && table.table == std::get<1>(name)) {
            return table.rows != OwnedRows::Kept;
        }
    }
    return false;
}

TEST(OwnershipTest, TheTableSaysWhatTheSchemasPagesSay) {
    for (const char* database :
         {"ms_vtep", "ms_firewall", "ms_service_insertion", "ms_darv", "hnv_host"}) {
        std::set<Name> listed;
        for (const OwnedColumn& owned : owned_columns()) {
            if (owned.database == database) {
                listed.emplace(owned.database, owned.table, owned.column);
            }
        }
        std::set<Name> of_page;
        for (const Name& name : owned_by_page(database)) {
            if (!is_owned_table(name) && !kReferences.contains(name)) {
                of_page.insert(name);
            }
        }
        EXPECT_EQ(listed, of_page) << database;
    }
}

TEST(OwnershipTest, TheTablesAreSortedToBeFoundIn) {
    const auto before = [](const auto& one, const auto& other) {
        return std::pair(one.database, one.table) < std::pair(other.database, other.table);
    };
    EXPECT_TRUE(std::ranges::is_sorted(owned_columns(), before));
    EXPECT_TRUE(std::ranges::is_sorted(owned_tables(), before));
}

}  // namespace
}  // namespace hnv::northbound
