// hnv-agent: options, directories, life as a daemon.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "agent.h"
#include "allocator.h"
#include "ovs-integration/log.h"
#include "ovs-integration/process.h"

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

[[nodiscard]] std::string host_name() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

[[nodiscard]] std::vector<hnv::ovs::OptionSpec> options() {
    return {{"db-dir", "/var/lib/hnv-agent", "where the databases are kept"},
            {"run-dir", "/run/hnv-agent", "sockets and pid file"},
            {"log-dir", "/var/log/hnv-agent", "where --log-file and the audit log go"},
            {"ovs-run-dir", "/run/openvswitch", "Open vSwitch's run directory"},
            {"ovs-db", "", "its database; default unix:<ovs-run-dir>/db.sock"},
            {"name", host_name(), "this host's Physical_Switch"},
            {"bridge", "br-hnv", "the integration bridge"},
            {"datapath-type", "auto", "netdev, system or auto"}};
}

// Makes the directory, and its parents, if there is none.
[[nodiscard]] bool make_directory(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        mkdir(path.substr(0, slash).c_str(), 0755);
    }
    if (mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) {
        return true;
    }
    std::cerr << "hnv-agent: can't make " << path << ": " << std::strerror(errno) << "\n";
    return false;
}

[[nodiscard]] hnv::AgentConfig config_of(const hnv::ovs::CommandLine& line) {
    const auto value = [&line](const char* option) { return line.values.find(option)->second; };
    hnv::AgentConfig config;
    config.name = value("name");
    config.version = HNV_VERSION;
    config.db_dir = value("db-dir");
    config.run_dir = value("run-dir");
    config.log_dir = value("log-dir");
    config.ovs_run_dir = value("ovs-run-dir");
    config.ovs_db =
        value("ovs-db").empty() ? "unix:" + config.ovs_run_dir + "/db.sock" : value("ovs-db");
    config.bridge = value("bridge");
    config.datapath_type = value("datapath-type");
    config.unixctl = line.unixctl.value_or(config.run_dir + "/hnv-agent.ctl");
    config.remotes = line.remotes;
    config.tls = {line.private_key, line.certificate, line.ca_certificate};
    return config;
}

}  // namespace

int main(int argc, char* argv[]) {
    const auto line = hnv::ovs::parse_command_line(argc, argv, options(), HNV_VERSION);
    if (!line) {
        std::cerr << "hnv-agent: " << line.error().message() << "\n";
        return kUsage;
    }
    if (line->print) {
        std::cout << *line->print;
        return 0;
    }
    hnv::AgentConfig config = config_of(*line);
    if (!make_directory(config.db_dir) || !make_directory(config.run_dir)) {
        return kFailure;
    }
    hnv::ovs::daemonize_start();
    hnv::tune_allocator();
    auto agent = hnv::Agent::create(std::move(config));
    if (!agent) {
        hnv::log::error("main", agent.error().message());
        std::cerr << "hnv-agent: " << agent.error().message() << "\n";
        return kFailure;
    }
    hnv::ovs::daemonize_complete();
    (*agent)->run();
    return 0;
}
