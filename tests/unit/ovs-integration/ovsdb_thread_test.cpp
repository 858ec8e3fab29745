// The server in its thread, a client that is another process, and the test as the policy's thread.
#include "ovs-integration/ovsdb_thread.h"

#include <thread>

#include "ovsdb_server_fixture.h"

namespace hnv::ovs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class OvsdbThreadTest : public OvsdbServerTest {
  protected:
    void begin(OvsdbThread::Bounds bounds = {}) {
        open();
        listen();
        server_->run();  // The socket is there before the thread is.
        thread_.emplace(*server_, std::set<OvsdbThread::Table>{{"test", "Root"}}, bounds);
        thread_->subscribe(recorder_);
        thread_->start();
    }
    ~OvsdbThreadTest() override { thread_.reset(); }

    template <typename Condition>
    [[nodiscard]] bool until(const Condition& condition) {
        const std::int64_t deadline = now_msec() + kDeadlineMsec;
        for (;;) {
            thread_->run();
            if (condition()) {
                return true;
            }
            if (now_msec() > deadline) {
                return false;
            }
            thread_->wait();
            wake_at(now_msec() + 20);  // A condition may be another thread's.
            block();
        }
    }
    // A client that nobody waits for but the server's thread.
    std::string client_alone(const std::string& operations) {
        FILE* pipe = popen(("exec 2>&1; ovsdb-client --timeout=15 transact " + socket_ +
                            R"( '["test",)" + operations + "]'")
                               .c_str(),
                           "re");
        std::string output;
        char buffer[4096];
        for (std::size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
            output.append(buffer, n);
        }
        pclose(pipe);
        return output;
    }
    std::vector<std::string> known() const {
        std::vector<std::string> out;
        thread_->for_each_row("test", "Thing",
                              [&](const Row& row) { out.emplace_back(row.string("name")); });
        return out;
    }
    void post(const std::string& operations) {
        thread_->post("test", "[" + operations + "]", "a test");
    }

    Recorder recorder_;
    std::optional<OvsdbThread> thread_;
};

TEST_F(OvsdbThreadTest, ClientsAreAnsweredWhileNobodyListensAndHeardLaterInOrder) {
    begin();
    EXPECT_THAT(recorder_.take(), ElementsAre("test commit"));
    EXPECT_THAT(client_alone(insert_thing("a")), testing::HasSubstr("uuid"));
    EXPECT_THAT(client_alone(insert_thing("b") + "," + insert_thing("c")),
                testing::HasSubstr("uuid"));
    EXPECT_THAT(recorder_.lines, IsEmpty());
    ASSERT_TRUE(until([&] { return recorder_.lines.size() == 5; }));
    const auto lines = recorder_.take();
    EXPECT_EQ(lines[0], "test - > a=0");
    EXPECT_EQ(lines[1], "test commit");
    EXPECT_THAT(std::vector(lines.begin() + 2, lines.begin() + 4),
                UnorderedElementsAre("test - > b=0", "test - > c=0"));
    EXPECT_EQ(lines[4], "test commit");
}

TEST_F(OvsdbThreadTest, RowsAreThoseThatHaveBeenHeardOf) {
    begin();
    post(insert_thing("a"));
    EXPECT_THAT(known(), IsEmpty());
    EXPECT_FALSE(thread_->settled());
    ASSERT_TRUE(until([&] { return thread_->settled(); }));
    EXPECT_THAT(known(), ElementsAre("a"));
    post(R"({"op":"update","table":"Thing","where":[],"row":{"name":"b"}})");
    ASSERT_TRUE(until([&] { return thread_->settled(); }));
    EXPECT_THAT(known(), ElementsAre("b"));
    post(R"({"op":"delete","table":"Thing","where":[]})");
    ASSERT_TRUE(until([&] { return thread_->settled(); }));
    EXPECT_THAT(known(), IsEmpty());
}

TEST_F(OvsdbThreadTest, AWriteThatFailsSettlesToo) {
    begin();
    post(insert_thing("a") + "," + insert_thing("a"));  // The name is an index.
    ASSERT_TRUE(until([&] { return thread_->settled(); }));
    EXPECT_THAT(known(), IsEmpty());
}

TEST_F(OvsdbThreadTest, WhatWasPostedIsWrittenBeforeTheThreadEnds) {
    begin();
    for (int i = 0; i < 100; ++i) {
        post(insert_thing("thing " + std::to_string(i)));
    }
    thread_.reset();
    EXPECT_EQ(names().size(), 100U);
}

TEST_F(OvsdbThreadTest, TooManyRowsThatNobodyTakesMakeTheClientsWait) {
    begin({.waiting_rows = 3, .rows_a_run = 1});
    EXPECT_THAT(client_alone(insert_thing("a") + "," + insert_thing("b") + "," + insert_thing("c") +
                             "," + insert_thing("d")),
                testing::HasSubstr("uuid"));
    std::atomic<bool> answered{false};
    std::thread client([&] {
        client_alone(insert_thing("e"));
        answered = true;
    });
    // It has sent its request by the time that another one has come and given up.
    EXPECT_NE(
        std::system(("ovsdb-client --timeout=1 list-dbs " + socket_ + " >/dev/null 2>&1").c_str()),
        0);
    EXPECT_FALSE(answered);
    EXPECT_TRUE(until([&] { return answered && recorder_.rows == 5; }));
    client.join();
}

TEST_F(OvsdbThreadTest, ADatabaseThatIsReplacedIsToldAnew) {
    begin();
    post(insert_thing("a"));
    ASSERT_TRUE(until([&] { return thread_->settled(); }));
    recorder_.take();
    std::ofstream(dir_ + "/next.ovsschema") << schema("1.3.0", R"(,"more":{"type":"string"})");
    ASSERT_EQ(std::system(
                  ("ovsdb-client --timeout=15 convert " + socket_ + " " + dir_ + "/next.ovsschema")
                      .c_str()),
              0);
    ASSERT_TRUE(until([&] { return recorder_.lines.size() == 3; }));
    EXPECT_THAT(recorder_.take(), ElementsAre("test replaced", "test - > a=0", "test commit"));
    EXPECT_THAT(known(), ElementsAre("a"));
    ASSERT_EQ(thread_->databases().size(), 1U);
    EXPECT_EQ(thread_->databases().front().version, "1.3.0");
}

}  // namespace
}  // namespace hnv::ovs
