#include "ovs-integration/process.h"

#include <getopt.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "ovs-integration/ovs_headers.h"

extern "C" {
#include "daemon.h"
#include "fatal-signal.h"
#include "stream-ssl.h"
#include "stream.h"
}

namespace hnv::ovs {

namespace {

enum Option : int {
    OPT_REMOTE = 1000,
    OPT_UNIXCTL,
    OPT_SSL_PROTOCOLS,
    OPT_SSL_CIPHERS,
    DAEMON_OPTION_ENUMS,
    VLOG_OPTION_ENUMS,
    OPT_SPEC,  // The first of the program's own options.
};

// The directories count already while the other options are read (--pidfile makes its path at
// once), so they are looked for first.
void set_directories(int argc, char* argv[], const std::vector<OptionSpec>& specs) {
    for (const OptionSpec& spec : specs) {
        const char* variable = spec.name == "run-dir"   ? "OVS_RUNDIR"
                               : spec.name == "log-dir" ? "OVS_LOGDIR"
                                                        : nullptr;
        if (variable == nullptr) {
            continue;
        }
        std::string value = spec.default_value;
        const std::string option = "--" + spec.name;
        for (int i = 1; i < argc; ++i) {
            const std::string_view argument = argv[i];
            if (argument == option && i + 1 < argc) {
                value = argv[i + 1];
            } else if (argument.starts_with(option + "=")) {
                value = argument.substr(option.size() + 1);
            }
        }
        setenv(variable, value.c_str(), 1);
        const bool logs = std::any_of(argv + 1, argv + argc, [](const char* argument) {
            return std::string_view(argument).starts_with("--log-file");
        });
        if (spec.name == "log-dir" && logs) {
            std::error_code ignored;  // Opening the file says what is wrong.
            std::filesystem::create_directories(value, ignored);
        }
    }
}

[[nodiscard]] std::vector<option> long_options(const std::vector<OptionSpec>& specs) {
    const option common[] = {
        {"remote", required_argument, nullptr, OPT_REMOTE},
        {"unixctl", required_argument, nullptr, OPT_UNIXCTL},
        {"help", no_argument, nullptr, 'h'},
        {"version", no_argument, nullptr, 'V'},
        DAEMON_LONG_OPTIONS,
        VLOG_LONG_OPTIONS,
        STREAM_SSL_LONG_OPTIONS,
    };
    std::vector<option> options(std::begin(common), std::end(common));
    for (std::size_t i = 0; i < specs.size(); ++i) {
        options.push_back(
            {specs[i].name.c_str(), required_argument, nullptr, OPT_SPEC + static_cast<int>(i)});
    }
    options.push_back({nullptr, 0, nullptr, 0});
    return options;
}

[[nodiscard]] std::string usage(const std::vector<OptionSpec>& specs) {
    std::string text = "usage: " + std::string(program_name) + " [OPTIONS]\n";
    for (const OptionSpec& spec : specs) {
        const std::string option =
            "  --" + spec.name + "=" + (spec.default_value.empty() ? "..." : spec.default_value);
        text += option + std::string(option.size() < 44 ? 44 - option.size() : 1, ' ') + spec.help +
                "\n";
    }
    text +=
        "  --remote=REMOTE                           another listener or controller, as for\n"
        "                                            ovsdb-server; may be repeated\n"
        "  --unixctl=SOCKET                          the control socket\n"
        "  -p, --private-key=FILE  -c, --certificate=FILE  -C, --ca-cert=FILE\n"
        "  --pidfile[=FILE] --detach --monitor --no-chdir --overwrite-pidfile\n"
        "  --log-file[=FILE] -v, --verbose=[SPEC]\n"
        "  -h, --help  -V, --version\n"
        "See hnv-agent(8).\n";
    return text;
}

}  // namespace

Result<CommandLine> parse_command_line(int argc, char* argv[], const std::vector<OptionSpec>& specs,
                                       std::string_view version) {
    set_directories(argc, argv, specs);
    ovs_set_program_name(argv[0], std::string(version).c_str());
    fatal_ignore_sigpipe();
    // Always one, in the run directory: its lock keeps a second process out of there.
    set_pidfile(nullptr);

    CommandLine line;
    for (const OptionSpec& spec : specs) {
        line.values[spec.name] = spec.default_value;
    }
    const std::vector<option> options = long_options(specs);
    optind = 1;
    for (;;) {
        const int c = getopt_long(argc, argv, "hVv::p:c:C:", options.data(), nullptr);
        if (c == -1) {
            break;
        }
        if (c >= OPT_SPEC) {
            line.values[specs[static_cast<std::size_t>(c - OPT_SPEC)].name] = optarg;
            continue;
        }
        switch (c) {
            case OPT_REMOTE:
                line.remotes.emplace_back(optarg);
                break;
            case OPT_UNIXCTL:
                line.unixctl = optarg;
                break;
            case 'p':
                line.private_key = optarg;
                break;
            case 'c':
                line.certificate = optarg;
                break;
            case 'C':
                line.ca_certificate = optarg;
                break;
            case OPT_SSL_PROTOCOLS:
                stream_ssl_set_protocols(optarg);
                break;
            case OPT_SSL_CIPHERS:
                stream_ssl_set_ciphers(optarg);
                break;
            case 'h':
                line.print = usage(specs);
                return line;
            case 'V':
                line.print = std::string(program_name) + " " + std::string(version) + "\n";
                return line;
                VLOG_OPTION_HANDLERS
                DAEMON_OPTION_HANDLERS
            default:
                return Error("try --help");  // getopt_long() has said what is wrong.
        }
    }
    if (optind < argc) {
        return Error(std::string("'") + argv[optind] + "' is not an option; try --help");
    }
    return line;
}

void daemonize_start() { ::daemonize_start(false); }
void daemonize_complete() { ::daemonize_complete(); }

}  // namespace hnv::ovs
