#include "cli/ovsdb_session.h"

#include <gtest/gtest.h>

#include "cli/ovsdb_json.h"

namespace hnv::cli {
namespace {

Json::Value json(std::string_view text) { return parse_json(text).value(); }

TEST(OvsdbSession, GroupsAreNotSplit) {
    const Json::Value op(Json::objectValue);
    const Plan plan{"db", {{op, op}, {op}, {op, op}, {op, op, op, op}, {op}}, {}};
    std::vector<std::size_t> sizes;
    for (const Operations& transaction : split_plan(plan, 3)) {
        sizes.push_back(transaction.size());
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 2, 4, 1}));
}

TEST(OvsdbSession, KnownNamesBecomeUuids) {
    const auto operation = json(R"({"op": "insert", "row": {"a": ["named-uuid", "x"],
        "b": ["map", [["k", ["named-uuid", "x"]], ["l", ["named-uuid", "y"]]]]}})");
    EXPECT_EQ(with_known_uuids(operation, {{"x", "1234"}}),
              json(R"({"op": "insert", "row": {"a": ["uuid", "1234"],
        "b": ["map", [["k", ["uuid", "1234"]], ["l", ["named-uuid", "y"]]]]}})"));
}

TEST(OvsdbSession, ErrorsTellTheOperation) {
    const Operations operations{json(R"({"op": "insert", "table": "T", "row": {"name": "x"}})"),
                                json(R"({"op": "delete", "table": "T", "where": []})")};
    EXPECT_FALSE(transaction_error(operations, json(R"([{"uuid": ["uuid", "1"]}, {"count": 0}])")));
    EXPECT_EQ(
        transaction_error(operations, json(R"([{"error": "e", "details": "d"}, null])"))->message(),
        R"(insert in T of {"name":"x"}: e: d)");
    EXPECT_EQ(
        transaction_error(operations, json(R"([{}, {}, {"error": "e", "details": "at commit"}])"))
            ->message(),
        "e: at commit");
    EXPECT_TRUE(transaction_error(operations, json("[{}]")));
    EXPECT_TRUE(transaction_error(operations, json("{}")));
}

TEST(OvsdbJson, SetsMayBeLoneAtoms) {
    EXPECT_EQ(as_set(json("5")).size(), 1U);
    EXPECT_EQ(as_set(json(R"(["set", []])")).size(), 0U);
    EXPECT_EQ(as_set(json(R"(["set", [1, 2]])")).size(), 2U);
    EXPECT_EQ(as_set(json(R"(["uuid", "1"])")).size(), 1U);
    EXPECT_EQ(as_uuid(json(R"(["uuid", "1"])")), "1");
    EXPECT_EQ(as_uuid(json(R"(["named-uuid", "1"])")), "");
    EXPECT_EQ(as_string_map(json(R"(["map", [["a", "b"]]])")).at("a"), "b");
    EXPECT_EQ(as_integer(json("\"5\"")), 0);
}

}  // namespace
}  // namespace hnv::cli
