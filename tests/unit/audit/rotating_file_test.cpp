#include "audit/rotating_file.h"

#include <filesystem>
#include <string>

#include "log_file_fixture.h"

namespace hnv::audit {
namespace {

class RotatingFileTest : public test::LogFileTest {
  protected:
    void append(const std::string& lines) {
        const Status outcome = file().append(lines);
        EXPECT_TRUE(outcome) << outcome.error().message();
    }
    RotatingFile& file() {
        if (!file_) {
            file_.emplace(path_);
            file_->set_rotation(rotation_);
        }
        return *file_;
    }

    Rotation rotation_{12, 3};
    std::optional<RotatingFile> file_;
};

TEST_F(RotatingFileTest, MakesItsDirectoryAndFileWhenThereIsSomethingToWrite) {
    file();
    EXPECT_FALSE(exists());
    append("one\n");
    EXPECT_EQ(contents(), "one\n");
    const auto permissions = std::filesystem::status(path_).permissions();
    EXPECT_EQ(permissions & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

TEST_F(RotatingFileTest, KeepsTheNewestFilesAndNoneIsLongerThanItMay) {
    for (int i = 0; i < 10; ++i) {
        append("line" + std::to_string(i) + "\n");
    }
    EXPECT_EQ(contents(), "line8\nline9\n");
    EXPECT_EQ(contents(".1"), "line6\nline7\n");
    EXPECT_EQ(contents(".2"), "line4\nline5\n");
    EXPECT_FALSE(exists(".3"));
}

TEST_F(RotatingFileTest, ContinuesAFileThatIsThere) {
    append("line0\nline1\n");
    file_.reset();
    append("line2\n");
    EXPECT_EQ(contents(), "line2\n");
    EXPECT_EQ(contents(".1"), "line0\nline1\n");
}

TEST_F(RotatingFileTest, OneFileStartsAnew) {
    rotation_.files = 1;
    append("line0\nline1\n");
    append("line2\n");
    EXPECT_EQ(contents(), "line2\n");
    EXPECT_FALSE(exists(".1"));
}

TEST_F(RotatingFileTest, FewerFilesThanBeforeLeaveNoneBehind) {
    for (int i = 0; i < 6; ++i) {
        append("line" + std::to_string(i) + "\n");
    }
    EXPECT_TRUE(exists(".2"));
    file().set_rotation({12, 1});
    append("line6\n");
    EXPECT_EQ(contents(), "line6\n");
    EXPECT_FALSE(exists(".1"));
    EXPECT_FALSE(exists(".2"));
}

TEST_F(RotatingFileTest, FollowsItsPathWhenToldSo) {
    append("one\n");
    std::filesystem::rename(path_, path_ + ".moved");
    append("two\n");
    EXPECT_EQ(contents(".moved"), "one\ntwo\n");
    file().close();
    append("three\n");
    EXPECT_EQ(contents(), "three\n");
    EXPECT_EQ(contents(".moved"), "one\ntwo\n");
}

TEST_F(RotatingFileTest, NoHalfLineStaysOfWhatHasNoRoom) {
    rotation_.max_bytes = 1000;
    append("line0\n");
    {
        const test::FileSizeLimit full(8);
        const Status outcome = file().append("line1\n");
        ASSERT_FALSE(outcome);
        EXPECT_NE(outcome.error().message().find(path_), std::string::npos);
        EXPECT_EQ(contents(), "line0\n");
    }
    append("line2\n");
    EXPECT_EQ(contents(), "line0\nline2\n");
}

TEST_F(RotatingFileTest, SaysWhatIsWrong) {
    std::filesystem::create_directories(path_);
    const Status outcome = file().append("one\n");
    ASSERT_FALSE(outcome);
    EXPECT_NE(outcome.error().message().find("Is a directory"), std::string::npos);
}

}  // namespace
}  // namespace hnv::audit
