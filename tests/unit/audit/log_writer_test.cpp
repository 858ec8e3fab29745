#include "audit/log_writer.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "log_file_fixture.h"
#include "ovs-integration/event_loop.h"

namespace hnv::audit {
namespace {

class LogWriterTest : public test::LogFileTest {
  protected:
    void SetUp() override {
        LogFileTest::SetUp();
        writer_.emplace(path_);
    }
    void TearDown() override {
        writer_.reset();
        LogFileTest::TearDown();
    }
    // Polls, since the writer tells nobody when it has written.
    static bool eventually(const std::function<bool()>& condition) {
        const std::int64_t deadline = ovs::now_msec() + 10000;
        while (!condition()) {
            if (ovs::now_msec() >= deadline) {
                return false;
            }
            ovs::wake_at(ovs::now_msec() + 2);
            ovs::block();
        }
        return true;
    }
    bool has_written(std::uint64_t lines) {
        return eventually([&] { return writer_->counters().written == lines; });
    }

    std::optional<LogWriter> writer_;
};

TEST_F(LogWriterTest, WritesWhatComesInOrder) {
    writer_->start();
    writer_->write("one\n");
    ASSERT_TRUE(has_written(1));
    writer_->write("two\n");
    ASSERT_TRUE(has_written(2));
    EXPECT_EQ(contents(), "one\ntwo\n");
    EXPECT_EQ(writer_->problem(), "");
}

TEST_F(LogWriterTest, WritesWhatIsQueuedBeforeItStops) {
    std::string expected;
    for (int i = 0; i < 20'000; ++i) {
        const std::string line = "line" + std::to_string(i) + "\n";
        writer_->write(line);
        expected += line;
    }
    writer_->start();
    writer_->stop();
    EXPECT_EQ(contents(), expected);
    EXPECT_EQ(writer_->counters().written, 20'000U);
}

TEST_F(LogWriterTest, NoFileIsLongerThanItMayAndNoLineIsTornApart) {
    writer_->set_rotation({100'000, 50});
    for (int i = 0; i < 20'000; ++i) {
        writer_->write("line " + std::to_string(i) + "\n");
    }
    writer_->start();
    writer_->stop();
    std::string all;
    for (int file = 50; file >= 0; --file) {
        const std::string text = contents(file == 0 ? "" : "." + std::to_string(file));
        EXPECT_LE(text.size(), 100'000U);
        EXPECT_TRUE(text.empty() || text.back() == '\n');
        all += text;
    }
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 20'000);
    EXPECT_EQ(all.substr(0, 14), "line 0\nline 1\n");
}

TEST_F(LogWriterTest, DropsWhatTheDiskDoesNotTakeInTimeAndCountsIt) {
    const std::string line(1023, 'x');
    const std::size_t fit = LogWriter::kQueueBytes / (line.size() + 1);
    for (std::size_t i = 0; i < fit + 5; ++i) {  // Nobody writes yet.
        writer_->write(line + "\n");
    }
    EXPECT_EQ(writer_->counters().dropped, 5U);
    writer_->start();
    ASSERT_TRUE(has_written(fit));
    writer_->write("more\n");
    ASSERT_TRUE(has_written(fit + 1));
    EXPECT_EQ(writer_->counters().dropped, 5U);
}

TEST_F(LogWriterTest, AFullDiskCostsRecordsAndNothingElse) {
    writer_->start();
    writer_->write("one\n");
    ASSERT_TRUE(has_written(1));
    {
        const test::FileSizeLimit full(4);
        writer_->write("two\n");
        ASSERT_TRUE(eventually([&] { return writer_->counters().errors == 1; }));
        ASSERT_TRUE(eventually([&] { return !writer_->problem().empty(); }));
        EXPECT_NE(writer_->problem().find(path_), std::string::npos);
    }
    writer_->write("three\n");
    ASSERT_TRUE(has_written(2));
    ASSERT_TRUE(eventually([&] { return writer_->problem().empty(); }));
    EXPECT_EQ(contents(), "one\nthree\n");
}

TEST_F(LogWriterTest, ReopensItsFile) {
    writer_->start();
    writer_->write("one\n");
    ASSERT_TRUE(has_written(1));
    std::filesystem::rename(path_, path_ + ".moved");
    writer_->reopen();
    writer_->write("two\n");
    ASSERT_TRUE(has_written(2));
    EXPECT_EQ(contents(".moved"), "one\n");
    EXPECT_EQ(contents(), "two\n");
}

}  // namespace
}  // namespace hnv::audit
