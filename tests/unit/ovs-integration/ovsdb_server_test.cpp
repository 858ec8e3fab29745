// Files, transactions, rows, and what the listener hears.
#include "ovsdb_server_fixture.h"
#include "schema/schemas_embedded.h"

namespace hnv::ovs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST_F(OvsdbServerTest, RowsSurviveARestart) {
    open();
    EXPECT_THAT(names(), IsEmpty());
    write(insert_thing("a") + "," + insert_thing("b"));
    start();
    open();
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b"));
    // No temporary file stays behind.
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
        EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("test.db", ".test.db.~lock~"));
    }
}

TEST_F(OvsdbServerTest, AnOpenFileIsLockedAgainstOthers) {
    open();
    OvsdbServer other;
    const Status status = other.open(schema(), file_);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message(), HasSubstr("lock"));
}

TEST_F(OvsdbServerTest, DatabaseNamesAreUniqueAndTheFilesAreChecked) {
    open();
    EXPECT_THAT(server_->open(schema(), dir_ + "/second.db").error().message(),
                HasSubstr("served already"));
    EXPECT_THAT(server_->open("{", dir_ + "/bad.db").error().message(), HasSubstr("JSON"));
    EXPECT_THAT(server_->open(schema(), dir_ + "/no/such.db").error().message(),
                HasSubstr("No such file"));
    start();
    std::string renamed = schema();
    renamed.replace(renamed.find("test"), 4, "else");
    EXPECT_THAT(server_->open(renamed, file_).error().message(),
                HasSubstr("holds database test, not else"));
    EXPECT_THAT(server_->databases(), IsEmpty());
    open();
    ASSERT_EQ(server_->databases().size(), 1U);
    EXPECT_EQ(server_->databases()[0].name, "test");
    EXPECT_EQ(server_->databases()[0].version, "1.2.0");
}

TEST_F(OvsdbServerTest, ANewerFileIsRefusedAndNotTouched) {
    open(schema("1.10.0", R"(,"extra":{"type":"string"})"));
    write(insert_thing("a"));
    const std::string before = read_file(file_);
    start();
    const Status status = server_->open(schema("1.9.9"), file_);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message(),
              file_ +
                  " holds test 1.10.0; this agent knows up to 1.9.9: install a newer agent or "
                  "restore a backup");
    EXPECT_EQ(read_file(file_), before);
}

TEST_F(OvsdbServerTest, AnOlderFileIsConvertedInPlace) {
    open(schema("1.0.0"));
    write(insert_thing("a", R"(,"count":7)"));
    start();
    open(schema("1.2.0", R"(,"extra":{"type":{"key":"string","min":0,"max":1}})"));
    write(insert_thing("b", R"(,"extra":"new")"));
    start();
    open(schema("1.2.0", R"(,"extra":{"type":{"key":"string","min":0,"max":1}})"));
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b"));
    server_->for_each_row("test", "Thing", [](const Row& row) {
        const bool is_a = row.string("name") == "a";
        EXPECT_EQ(row.integer("count"), is_a ? 7 : 0);
        EXPECT_EQ(row.string("extra"), is_a ? "" : "new");
    });
}

TEST_F(OvsdbServerTest, AFileThatCannotBeConvertedIsRefusedAndNotTouched) {
    open(schema("1.0.0"));
    write(insert_thing("a"));
    const std::string before = read_file(file_);
    start();
    std::string stricter = schema("1.2.0");
    const std::string type = R"("count": {"type": "integer"})";
    stricter.replace(stricter.find(type), type.size(),
                     R"("count": {"type": {"key": {"type": "integer", "minInteger": 5}}})");
    EXPECT_FALSE(server_->open(stricter, file_));
    EXPECT_EQ(read_file(file_), before);
}

TEST_F(OvsdbServerTest, AFileThatIsNoDatabaseIsRefusedAndNotTouched) {
    for (const std::string& contents : {std::string(), std::string("not a database\n")}) {
        std::ofstream(file_) << contents;
        EXPECT_FALSE(server_->open(schema(), file_));
        EXPECT_EQ(read_file(file_), contents);
    }
}

TEST_F(OvsdbServerTest, TheListenerHearsContentsThenCommits) {
    open();
    write(insert_thing("a", R"(,"count":1)"));
    Recorder heard;
    server_->subscribe(heard);
    EXPECT_THAT(heard.take(), ElementsAre("test - > a=1", "test commit"));
    server_->run();
    EXPECT_THAT(heard.take(), IsEmpty());

    listen();
    transact(insert_thing("b", R"(,"count":2)"));
    EXPECT_THAT(heard.take(), ElementsAre("test - > b=2", "test commit"));
    transact(R"({"op":"update","table":"Thing","where":[["name","==","b"]],"row":{"count":3}})");
    EXPECT_THAT(heard.take(), ElementsAre("test b=2 > b=3", "test commit"));
    // Written, but nothing changed.
    transact(R"({"op":"update","table":"Thing","where":[["name","==","b"]],"row":{"count":3}})");
    EXPECT_THAT(heard.take(), IsEmpty());
    transact(R"({"op":"delete","table":"Thing","where":[["name","==","a"]]})");
    EXPECT_THAT(heard.take(), ElementsAre("test a=1 > -", "test commit"));
    // A reference alone does not change the row that it points to.
    transact(insert_thing("c") + "," +
             R"({"op":"update","table":"Thing","where":[["name","==","c"]],"row":{"count":9}},)" +
             R"({"op":"insert","table":"Thing","uuid-name":"d","row":{"name":"d"}},)" +
             R"({"op":"update","table":"Thing","where":[["name","==","c"]],)" +
             R"("row":{"peer":["named-uuid","d"]}})");
    EXPECT_THAT(heard.take(), UnorderedElementsAre("test - > c=9", "test - > d=0", "test commit"));
}

TEST_F(OvsdbServerTest, TheListenerHearsOwnWritesAtTheNextRunInOrder) {
    open();
    Recorder heard;
    server_->subscribe(heard);
    heard.take();
    write(insert_thing("a"));
    write(R"({"op":"delete","table":"Thing","where":[]})");
    EXPECT_THAT(heard.take(), IsEmpty());
    server_->run();
    EXPECT_THAT(heard.take(),
                ElementsAre("test - > a=0", "test commit", "test a=0 > -", "test commit"));
}

TEST_F(OvsdbServerTest, ADatabaseOpenedAfterSubscribeIsHeardToo) {
    Recorder heard;
    server_->subscribe(heard);
    open();
    EXPECT_THAT(heard.take(), ElementsAre("test commit"));
    write(insert_thing("a"));
    server_->run();
    EXPECT_THAT(heard.take(), ElementsAre("test - > a=0", "test commit"));
}

TEST_F(OvsdbServerTest, WhatTheListenerHasNotHeardAtTheEndIsForgotten) {
    open();
    Recorder heard;
    server_->subscribe(heard);
    write(insert_thing("a"));
    server_.reset();
    EXPECT_THAT(heard.take(), ElementsAre("test commit"));
}

TEST_F(OvsdbServerTest, AWriteFromACallbackIsRefused) {
    open();
    Recorder heard;
    server_->subscribe(heard);
    heard.on_each = [&] {
        EXPECT_THAT(write_error("[" + insert_thing("b") + "]"), HasSubstr("callback"));
    };
    write(insert_thing("a"));
    server_->run();
    EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(OvsdbServerTest, AConversionByAClientReplacesEverything) {
    open(schema("1.0.0"));
    Recorder heard;
    server_->subscribe(heard);
    listen();
    write(insert_thing("a", R"(,"count":4)"));
    server_->run();
    heard.take();

    std::ofstream(dir_ + "/next.ovsschema") << schema("1.1.0", R"(,"extra":{"type":"integer"})");
    write(insert_thing("b"));  // Not heard yet when the replacement comes, or just so.
    EXPECT_EQ(client("convert", dir_ + "/next.ovsschema"), "");
    const std::vector<std::string> lines = heard.take();
    const auto replaced = std::ranges::find(lines, "test replaced");
    ASSERT_NE(replaced, lines.end());
    EXPECT_THAT(
        std::vector<std::string>(replaced, lines.end()),
        UnorderedElementsAre("test replaced", "test - > a=4", "test - > b=0", "test commit"));
    EXPECT_EQ(server_->databases()[0].version, "1.1.0");
    EXPECT_THAT(client("get-schema-version", "test"), HasSubstr("1.1.0"));
    write(R"({"op":"update","table":"Thing","where":[["name","==","a"]],"row":{"extra":1}})");
    server_->run();
    EXPECT_THAT(heard.take(), ElementsAre("test a=4 > a=4", "test commit"));
}

TEST_F(OvsdbServerTest, WriteErrorsSayWhichOperationAndNothingIsCommitted) {
    open();
    EXPECT_THAT(
        write_error("[" + insert_thing("a") + R"(,{"op":"insert","table":"None","row":{}}])"),
        HasSubstr("test: operation 1 (insert None): "));
    EXPECT_THAT(write_error("[" + insert_thing("a", R"(,"count":"x")") + "]"),
                HasSubstr("operation 0 (insert Thing): "));
    EXPECT_THAT(write_error("[" + insert_thing("a") + "," + insert_thing("a") + "]"),
                HasSubstr("commit: constraint violation: "));
    EXPECT_THAT(write_error("[7]"), HasSubstr("operation 0 (unnamed): "));
    EXPECT_THAT(write_error("["), HasSubstr("not JSON"));
    EXPECT_THAT(write_error("{}"), HasSubstr("not a JSON array"));
    EXPECT_THAT(write_error(R"([{"op":"wait","table":"Thing","where":[],"columns":["name"],)"
                            R"("until":"==","rows":[{"name":"a"}],"timeout":1000}])"),
                HasSubstr("operation 0 (wait Thing): "));
    EXPECT_EQ(server_->write("none", "[]").error().message(), "no database named none");
    EXPECT_THAT(server_->write("_Server", R"([{"op":"delete","table":"Database","where":[]}])")
                    .error()
                    .message(),
                HasSubstr("not allowed"));
    EXPECT_THAT(names(), IsEmpty());
    EXPECT_EQ(write_error("[]"), "no error");
}

TEST_F(OvsdbServerTest, RowsReadTheirColumnsByType) {
    open();
    write(R"({"op":"insert","table":"Thing","uuid-name":"p","row":{"name":"peer"}},)" +
          insert_thing("x", R"(,"nick":"nick","count":-5,"limit":9,"on":true,
              "words":["set",["b","a"]],"numbers":["set",[3,1]],"peer":["named-uuid","p"],
              "peers":["set",[["named-uuid","p"]]],"options":["map",[["k2","v2"],["k1","v1"]]],
              "by_name":["map",[["n",["named-uuid","p"]]]],
              "by_vlan":["map",[[20,["named-uuid","p"]],[0,["named-uuid","p"]]]])"));
    Uuid peer;
    server_->for_each_row("test", "Thing", [&](const Row& row) {
        if (row.string("name") == "peer") {
            peer = row.uuid();
        }
    });
    EXPECT_FALSE(peer.is_zero());
    int seen = 0;
    server_->for_each_row("test", "Thing", [&](const Row& row) {
        if (row.string("name") != "x") {
            EXPECT_EQ(row.string("nick"), "");
            EXPECT_EQ(row.integer("limit"), std::nullopt);
            EXPECT_EQ(row.reference("peer"), std::nullopt);
            return;
        }
        ++seen;
        EXPECT_EQ(row.string("nick"), "nick");
        EXPECT_EQ(row.integer("count"), -5);
        EXPECT_EQ(row.integer("limit"), 9);
        EXPECT_TRUE(row.boolean("on"));
        EXPECT_THAT(row.strings("words"), ElementsAre("a", "b"));
        EXPECT_THAT(row.integers("numbers"), ElementsAre(1, 3));
        EXPECT_EQ(row.reference("peer"), peer);
        EXPECT_THAT(row.references("peers"), ElementsAre(peer));
        EXPECT_THAT(row.string_map("options"), ElementsAre(Pair("k1", "v1"), Pair("k2", "v2")));
        EXPECT_THAT(row.reference_map("by_name"), ElementsAre(Pair("n", peer)));
        EXPECT_THAT(row.integer_reference_map("by_vlan"),
                    ElementsAre(Pair(0, peer), Pair(20, peer)));
        // No such column, or one of another type.
        EXPECT_EQ(row.string("none"), "");
        EXPECT_EQ(row.string("count"), "");
        EXPECT_EQ(row.integer("name"), std::nullopt);
        EXPECT_FALSE(row.boolean("name"));
        EXPECT_EQ(row.reference("none"), std::nullopt);
        EXPECT_THAT(row.strings("options"), IsEmpty());
        EXPECT_THAT(row.string_map("by_name"), IsEmpty());
        EXPECT_THAT(row.reference_map("by_vlan"), IsEmpty());
    });
    EXPECT_EQ(seen, 1);
    server_->for_each_row("test", "None", [](const Row&) { ADD_FAILURE(); });
    server_->for_each_row("none", "Thing", [](const Row&) { ADD_FAILURE(); });
}

TEST_F(OvsdbServerTest, TheProductsSchemasOpen) {
    for (const char* name : {"ms_vtep", "ms_firewall", "ms_darv", "hnv_host"}) {
        const Status status = server_->open(hnv::schema::text(name), dir_ + "/" + name + ".db");
        EXPECT_TRUE(status) << status.error().message();
    }
    EXPECT_EQ(server_->databases().size(), 4U);
}

}  // namespace
}  // namespace hnv::ovs
