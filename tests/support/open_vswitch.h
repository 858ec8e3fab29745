// A real Open vSwitch for a test: ovsdb-server and ovs-vswitchd with the userspace datapath, in a
// directory and a network namespace of their own. Ends with the object.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ovs-integration/event_loop.h"

namespace hnv::test {

// Moves the calling thread, and what it starts from now on, into a new network namespace, which
// ends with the last of them. False when that is not permitted.
inline bool enter_new_network_namespace() { return ::unshare(CLONE_NEWNET) == 0; }

// Runs the component's loop until the condition holds; false when it does not in time.
template <typename Component>
bool run_until(Component& component, const std::function<bool()>& condition,
               std::int64_t limit_msec = 10000) {
    const std::int64_t deadline = ovs::now_msec() + limit_msec;
    for (;;) {
        (void)component.run();
        if (condition()) {
            return true;
        }
        if (ovs::now_msec() >= deadline) {
            return false;
        }
        component.wait();
        ovs::wake_at(deadline);
        ovs::block();
    }
}

// Starts a program found on PATH with standard output and error in `output`.
inline pid_t start(const std::vector<std::string>& command, const std::string& output) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t pid = -1;
    const int error =
        posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        throw std::runtime_error("can't start " + command[0]);
    }
    return pid;
}

inline int wait_for_exit(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

class OpenVswitch {
  public:
    OpenVswitch() : directory_(make_directory()) {
        ::setenv("OVS_RUNDIR", directory_.c_str(), 1);
        ::setenv("OVS_LOGDIR", directory_.c_str(), 1);
        ::setenv("OVS_DBDIR", directory_.c_str(), 1);
        run({"ovsdb-tool", "create", file("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema"});
        start_database();
        vsctl({"--no-wait", "init"});
    }

    ~OpenVswitch() {
        stop(switch_);
        stop(database_);
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    OpenVswitch(const OpenVswitch&) = delete;
    OpenVswitch& operator=(const OpenVswitch&) = delete;

    // Returns once the database takes connections.
    void start_database() {
        database_ = start({"ovsdb-server", file("conf.db"), "--remote=punix:" + file("db.sock"),
                           "--unixctl=" + file("db.ctl"), "--no-chdir"},
                          file("ovsdb-server.out"));
        const std::int64_t deadline = ovs::now_msec() + 10000;
        while (!can_connect(file("db.sock"))) {
            if (ovs::now_msec() >= deadline) {
                throw std::runtime_error("ovsdb-server does not answer");
            }
            ovs::wake_at(ovs::now_msec() + 5);
            ovs::block();
        }
    }
    void stop_database() { stop(database_); }
    void start_switch() {
        switch_ = start({"ovs-vswitchd", remote(), "--disable-system", "--disable-system-route",
                         "--unixctl=" + file("ovs-vswitchd.ctl"), "--no-chdir"},
                        file("ovs-vswitchd.out"));
    }
    void stop_switch() { stop(switch_); }

    // Runs ovs-vsctl, for ten seconds at most, and returns what it printed without the last line
    // end. Without --no-wait it waits until ovs-vswitchd has taken the change over.
    std::string vsctl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"ovs-vsctl", "--db=" + remote(), "--timeout=10"});
        return run(arguments);
    }

    // Asks ovs-vswitchd by its control socket.
    std::string appctl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"ovs-appctl", "-t", file("ovs-vswitchd.ctl")});
        return run(arguments);
    }

    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] std::string remote() const { return "unix:" + file("db.sock"); }
    [[nodiscard]] std::string file(const std::string& name) const {
        return directory_ + "/" + name;
    }

  private:
    static bool can_connect(const std::string& path) {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const bool connected =
            ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        return connected;
    }

    static std::string make_directory() {
        std::string name = std::filesystem::temp_directory_path() / "hnv-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("can't make a directory like " + name);
        }
        return name;
    }

    std::string run(const std::vector<std::string>& command) {
        const std::string output = file("command.out");
        const int status = wait_for_exit(start(command, output));
        std::ostringstream text;
        text << std::ifstream(output).rdbuf();
        std::string printed = text.str();
        while (!printed.empty() && printed.back() == '\n') {
            printed.pop_back();
        }
        if (status != 0) {
            throw std::runtime_error(command[0] + " failed: " + printed);
        }
        return printed;
    }

    static void stop(pid_t& pid) {
        if (pid > 0) {
            ::kill(pid, SIGKILL);
            wait_for_exit(pid);
            pid = -1;
        }
    }

    std::string directory_;
    pid_t database_ = -1;
    pid_t switch_ = -1;
};

}  // namespace hnv::test
