// The server with real files in a directory of its own and real clients: ovsdb-client as a child
// process on a Unix socket, while the test pumps the server.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/ovsdb_server.h"

namespace hnv::ovs {

inline constexpr std::int64_t kDeadlineMsec = 20'000;

// {VERSION} and {COLUMNS} are filled in; the latter is further columns of Thing, each after a
// comma.
inline constexpr char kSchema[] = R"({
  "name": "test", "version": "{VERSION}",
  "tables": {
    "Root": {"isRoot": true, "maxRows": 1, "columns": {
      "managers": {"type": {"key": {"type": "uuid", "refTable": "Manager"},
                            "min": 0, "max": "unlimited"}},
      "targets": {"type": {"key": "string", "min": 0, "max": "unlimited"}}}},
    "Manager": {"columns": {
      "target": {"type": "string"},
      "is_connected": {"type": "boolean", "ephemeral": true},
      "status": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"},
                 "ephemeral": true}}},
    "Thing": {"isRoot": true, "indexes": [["name"]], "columns": {
      "name": {"type": "string"},
      "nick": {"type": {"key": "string", "min": 0, "max": 1}},
      "count": {"type": "integer"},
      "limit": {"type": {"key": "integer", "min": 0, "max": 1}},
      "on": {"type": "boolean"},
      "words": {"type": {"key": "string", "min": 0, "max": "unlimited"}},
      "numbers": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
      "peer": {"type": {"key": {"type": "uuid", "refTable": "Thing"}, "min": 0, "max": 1}},
      "peers": {"type": {"key": {"type": "uuid", "refTable": "Thing"},
                         "min": 0, "max": "unlimited"}},
      "options": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
      "by_name": {"type": {"key": "string", "value": {"type": "uuid", "refTable": "Thing"},
                           "min": 0, "max": "unlimited"}},
      "by_vlan": {"type": {"key": "integer", "value": {"type": "uuid", "refTable": "Thing"},
                           "min": 0, "max": "unlimited"}}{COLUMNS}}}}})";

inline std::string schema(const std::string& version = "1.2.0", const std::string& columns = "") {
    std::string text = kSchema;
    text.replace(text.find("{COLUMNS}"), 9, columns);
    return text.replace(text.find("{VERSION}"), 9, version);
}

inline std::string insert_thing(const std::string& name, const std::string& more = "") {
    return R"({"op":"insert","table":"Thing","row":{"name":")" + name + '"' + more + "}}";
}

inline std::string read_file(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

// Writes down what it hears, one line a call. Rows of other tables than Thing are left out.
class Recorder : public CommitListener {
  public:
    void on_row(std::string_view database, const RowChange& change) override {
        ++rows;
        if (change.table != "Thing") {
            return;
        }
        const auto show = [](const std::optional<Row>& row) {
            return row ? std::string(row->string("name")) + "=" +
                             std::to_string(row->integer("count").value_or(-1))
                       : "-";
        };
        EXPECT_EQ((change.after ? change.after : change.before)->uuid(), change.uuid);
        lines.push_back(std::string(database) + " " + show(change.before) + " > " +
                        show(change.after));
        if (on_each) {
            on_each();
        }
    }
    void on_commit(std::string_view database) override {
        lines.push_back(std::string(database) + " commit");
    }
    void on_replaced(std::string_view database) override {
        lines.push_back(std::string(database) + " replaced");
    }
    std::vector<std::string> take() { return std::exchange(lines, {}); }

    std::vector<std::string> lines;
    std::size_t rows = 0;
    std::function<void()> on_each;
};

class OvsdbServerTest : public testing::Test {
  protected:
    OvsdbServerTest() {
        std::string name = (std::filesystem::temp_directory_path() / "hnv-ovsdb-XXXXXX").string();
        dir_ = mkdtemp(name.data());
        file_ = dir_ + "/test.db";
        socket_ = "unix:" + dir_ + "/db.sock";
        start();
    }
    ~OvsdbServerTest() override {
        server_.reset();
        std::filesystem::remove_all(dir_);
    }

    // A fresh server, as after a restart.
    void start() {
        server_.reset();  // Its lock on the file goes first.
        server_ = std::make_unique<OvsdbServer>();
    }
    void open(const std::string& text = schema()) {
        const Status status = server_->open(text, file_);
        ASSERT_TRUE(status) << status.error().message();
    }
    void listen() { server_->set_remotes({{.target = "p" + socket_}}); }
    void write(const std::string& operations) {
        const Status status = server_->write("test", "[" + operations + "]");
        ASSERT_TRUE(status) << status.error().message();
    }
    std::string write_error(const std::string& operations) {
        const Status status = server_->write("test", operations);
        return status ? "no error" : status.error().message();
    }
    std::vector<std::string> names() const {
        std::vector<std::string> out;
        server_->for_each_row("test", "Thing",
                              [&](const Row& row) { out.emplace_back(row.string("name")); });
        return out;
    }

    // Runs a shell command with the server going; returns what it printed, errors included.
    std::string shell(const std::string& command) {
        server_->run();  // The command may be there before the next turn: remotes that are due now.
        FILE* pipe = popen(("exec 2>&1; " + command).c_str(), "re");
        const int fd = fileno(pipe);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        const std::int64_t deadline = now_msec() + kDeadlineMsec;
        std::string output;
        for (;;) {
            server_->run();
            char buffer[4096];
            const ssize_t n = read(fd, buffer, sizeof buffer);
            if (n > 0) {
                output.append(buffer, static_cast<std::size_t>(n));
                continue;
            }
            if (n == 0 || now_msec() > deadline) {
                break;
            }
            server_->wait();
            wait_readable(fd);
            wake_at(deadline);
            block();
        }
        EXPECT_LE(now_msec(), deadline) << command;
        exit_status_ = pclose(pipe);
        server_->run();
        return output;
    }
    std::string client(const std::string& command, const std::string& arguments = "") {
        return shell("ovsdb-client --timeout=15 " + tls_options_ + " " + command + " " + socket_ +
                     " " + arguments);
    }
    std::string transact(const std::string& operations) {
        return client("transact", R"('["test",)" + operations + "]'");
    }

    // The port that a listener of a Manager row got, as its status says; empty if it never does.
    std::string bound_port() {
        std::string port;
        const std::int64_t deadline = now_msec() + kDeadlineMsec;
        for (;;) {
            server_->run();
            server_->for_each_row("test", "Manager", [&](const Row& row) {
                for (const auto& [key, value] : row.string_map("status")) {
                    port = key == "bound_port" ? std::string(value) : port;
                }
            });
            if (!port.empty() || now_msec() > deadline) {
                return port;
            }
            server_->wait();
            wake_at(deadline);
            block();
        }
    }

    std::string dir_;
    std::string file_;
    std::string socket_;
    std::string tls_options_;
    int exit_status_ = 0;
    std::unique_ptr<OvsdbServer> server_;
};

}  // namespace hnv::ovs
