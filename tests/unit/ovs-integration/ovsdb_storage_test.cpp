// The databases' files: what a crash may leave of them, damage, a disk that takes no more, and
// compaction beside the running server.
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "ovsdb_server_fixture.h"

namespace {
std::atomic<bool> sync_fails = false;
}  // namespace

// In the place of the C library's.
extern "C" int fdatasync(int fd) {
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace hnv::ovs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class OvsdbStorageTest : public OvsdbServerTest {
  protected:
    // Rows "a", "b", "c", each in a transaction of its own; returns the file's contents.
    std::string make_file() {
        open();
        for (const char* name : {"a", "b", "c"}) {
            write(insert_thing(name));
        }
        server_.reset();
        return read_file(file_);
    }
    void put(const std::string& contents) { std::ofstream(file_, std::ios::binary) << contents; }
    std::string open_error() {
        start();
        const Status status = server_->open(schema(), file_);
        return status ? "no error" : status.error().message();
    }
    // Where the i-th record of the file begins.
    static std::size_t record(const std::string& contents, std::size_t i) {
        std::size_t at = 0;
        for (; i > 0; --i) {
            at = contents.find("OVSDB JSON ", at + 1);
        }
        return at;
    }
    void compact() {
        const Status started = server_->compact("test");
        ASSERT_TRUE(started) << started.error().message();
    }
    // Runs the server until it is so.
    void run_until(const std::function<bool()>& condition) {
        const std::int64_t deadline = now_msec() + kDeadlineMsec;
        for (server_->run(); !condition() && now_msec() < deadline; server_->run()) {
            server_->wait();
            wake_at(deadline);
            block();
        }
        EXPECT_TRUE(condition());
    }
    void finish_compaction() {
        run_until([this] { return !server_->compacting("test"); });
    }
    // What stands in the directory beside the database, its lock and its socket.
    std::vector<std::string> leftovers() const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
            const std::string name = entry.path().filename();
            if (name != "test.db" && name.find("lock") == std::string::npos) {
                found.push_back(name);
            }
        }
        return found;
    }
};

// No file of this process may grow beyond `bytes`, as if the disk were full.
class FullDisk {
  public:
    explicit FullDisk(std::uintmax_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit now = before_;
        now.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FullDisk() { end(); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    void end() { setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

TEST_F(OvsdbStorageTest, AnEndThatACrashLeftIsCutOffAndKept) {
    const std::string whole = make_file();
    const std::size_t last = record(whole, 4);
    std::string wrong_sum = whole;
    wrong_sum[whole.size() - 4] ^= 1;
    const std::vector<std::string> ends = {whole.substr(last, whole.size() - last - 5),
                                           whole.substr(last, 30),
                                           "O",
                                           wrong_sum.substr(last),
                                           "\1\2 no record \n\n",
                                           std::string(200'000, '\0')};
    for (const std::string& end : ends) {
        put(whole.substr(0, last) + end);
        start();
        open();
        EXPECT_THAT(names(), UnorderedElementsAre("a", "b"));
        EXPECT_EQ(read_file(file_), whole.substr(0, last));
        EXPECT_EQ(read_file(file_ + ".torn.1"), end);
        write(insert_thing("d"));
        start();
        open();
        EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "d"));
    }
    EXPECT_THAT(leftovers(), SizeIs(4)) << "the youngest four are kept";
    EXPECT_EQ(read_file(file_ + ".torn.3"), wrong_sum.substr(last));
}

TEST_F(OvsdbStorageTest, DamageThatNoCrashLeavesIsRefusedAndNothingIsTouched) {
    const std::string whole = make_file();
    const auto damaged = [&](std::size_t at) {
        std::string contents = whole;
        contents[at] ^= 1;
        return contents;
    };
    const std::string at_b = "offset " + std::to_string(record(whole, 2));
    const std::vector<std::pair<std::string, std::string>> cases = {
        {damaged(record(whole, 2) + 80), at_b},  // The contents of a record.
        {damaged(record(whole, 2) + 3), at_b},   // Its lead.
        {damaged(record(whole, 2) + 30), at_b},  // Its checksum.
        {damaged(record(whole, 2) + 11), at_b},  // Its length.
        {damaged(2), "offset 0"},                // The file's first bytes.
        {damaged(200), "offset 0"},              // The schema.
        {"", "empty"},
        {whole.substr(0, 100), "offset 0"},
        // The record after the schema is the whole policy once the file has been compacted.
        {whole.substr(0, record(whole, 2) - 3), "offset " + std::to_string(record(whole, 1))},
        {whole.substr(0, record(whole, 3)) + std::string(100'000, 'x'),
         "offset " + std::to_string(record(whole, 3))}};
    for (const auto& [contents, where] : cases) {
        put(contents);
        EXPECT_THAT(open_error(), AllOf(HasSubstr(file_), HasSubstr(where),
                                        HasSubstr("Nothing was changed"), HasSubstr("`mv ")));
        EXPECT_EQ(read_file(file_), contents);
        EXPECT_THAT(leftovers(), IsEmpty());
    }
}

TEST_F(OvsdbStorageTest, AWholeRecordThatDoesNotFitIsRefused) {
    const std::string whole = make_file();
    std::filesystem::remove(file_);
    start();
    open(schema("1.2.0", R"(,"more":{"type":"string"})"));
    write(insert_thing("z", R"(,"more":"than the schema has")"));
    server_.reset();
    const std::string other = read_file(file_);
    const std::string contents = whole + other.substr(record(other, 2));
    put(contents);
    EXPECT_THAT(open_error(), AllOf(HasSubstr("offset " + std::to_string(whole.size())),
                                    HasSubstr("no transaction that fits")));
    EXPECT_EQ(read_file(file_), contents);
}

TEST_F(OvsdbStorageTest, CompactionShrinksTheFileAndKeepsTheRows) {
    open();
    write(insert_thing("a",
                       R"(,"words":["set",["x \"y\" \u00e4","z"]],"options":["map",[["k","v"]]])"));
    for (int i = 1; i <= 200; ++i) {
        write(R"({"op":"update","table":"Thing","where":[],"row":{"count":)" + std::to_string(i) +
              "}}");
    }
    const auto before = std::filesystem::file_size(file_);
    compact();
    EXPECT_FALSE(server_->compact("test")) << "one at a time";
    EXPECT_FALSE(server_->compact("none"));
    // What is committed meanwhile goes along.
    write(insert_thing("b"));
    finish_compaction();
    EXPECT_LT(std::filesystem::file_size(file_), before / 5);
    write(insert_thing("c"));
    start();
    open();
    server_->for_each_row("test", "Thing", [](const Row& row) {
        if (row.string("name") == "a") {
            EXPECT_EQ(row.integer("count"), 200);
            EXPECT_THAT(row.strings("words"), ElementsAre("x \"y\" \u00e4", "z"));
        }
    });
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c"));
    EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(OvsdbStorageTest, CompactionUnderLoadLosesNothing) {
#ifdef __SANITIZE_ADDRESS__
    // Unlike glibc's, this allocator's locks are not looked after by fork(): the thread that closes
    // the file before may hold one, which the child would wait for.
    GTEST_SKIP() << "run with ThreadSanitizer instead";
#endif
    open();
    for (int round = 0; round < 20; ++round) {
        compact();
        for (int i = 0; i < 50; ++i) {
            write(insert_thing(std::to_string(round) + "/" + std::to_string(i)));
            if (i % 10 == round % 10) {
                server_->run();
            }
        }
        finish_compaction();
    }
    start();
    open();
    EXPECT_THAT(names(), SizeIs(1000));
}

TEST_F(OvsdbStorageTest, TheStockToolReadsACompactedFile) {
    open();
    write(insert_thing("a"));
    compact();
    finish_compaction();
    EXPECT_THAT(
        shell("ovsdb-tool query " + file_ +
              R"( '["test",{"op":"select","table":"Thing","where":[],"columns":["name"]}]')"),
        HasSubstr(R"({"name":"a"})"));
}

TEST_F(OvsdbStorageTest, AnEndInTheMiddleOfACompactionLeavesTheFile) {
    const std::string before = make_file();
    start();
    open();
    compact();
    server_.reset();
    EXPECT_EQ(read_file(file_), before);
    EXPECT_THAT(leftovers(), IsEmpty());
    std::ofstream(file_ + ".compact") << "half of it";
    start();
    open();
    EXPECT_THAT(leftovers(), IsEmpty());
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c"));
}

TEST_F(OvsdbStorageTest, ACompactionThatFindsNoRoomLeavesTheFile) {
    make_file();
    start();
    open();
    std::filesystem::create_directory(file_ + ".compact");
    EXPECT_FALSE(server_->compact("test"));
    EXPECT_FALSE(server_->compacting("test"));
    std::filesystem::remove(file_ + ".compact");
    {
        const FullDisk full(std::filesystem::file_size(file_) / 2);
        compact();
        finish_compaction();
    }
    EXPECT_THAT(leftovers(), IsEmpty());
    write(insert_thing("d"));
    start();
    open();
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c", "d"));
}

TEST_F(OvsdbStorageTest, WhatCannotBeWrittenIsRefusedAndTheServerRecovers) {
    make_file();
    start();
    open();
    EXPECT_EQ(server_->storage().problem, "");
    FullDisk full(std::filesystem::file_size(file_) + 20);
    EXPECT_THAT(write_error("[" + insert_thing("d") + "]"), HasSubstr("I/O error"));
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c"));
    EXPECT_THAT(server_->storage().problem, AllOf(HasSubstr(file_), HasSubstr("make room")));
    full.end();
    run_until([this] { return server_->storage().problem.empty(); });
    write(insert_thing("e"));
    start();
    open();
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c", "e"));
}

TEST_F(OvsdbStorageTest, WhatTheDiskDoesNotConfirmIsRefusedAndLeavesTheFile) {
    make_file();
    start();
    open();
    sync_fails = true;
    EXPECT_THAT(write_error("[" + insert_thing("d") + R"(,{"op":"commit","durable":true}])"),
                HasSubstr("fsync failed"));
    sync_fails = false;
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c"));
    run_until([this] { return server_->storage().problem.empty(); });
    run_until([this] { return server_->compacting("test"); });
    finish_compaction();
    start();
    open();
    EXPECT_THAT(names(), UnorderedElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace hnv::ovs
