#include "cli/args.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <vector>

namespace hnv::cli {
namespace {

struct CommandName {
    std::string_view name;
    Command command;
};

constexpr std::array kCommands{CommandName{"status", Command::Status},
                               CommandName{"ports", Command::Ports},
                               CommandName{"mappings", Command::Mappings},
                               CommandName{"provider-addresses", Command::ProviderAddresses},
                               CommandName{"faults", Command::Faults},
                               CommandName{"nat", Command::Nat},
                               CommandName{"drops", Command::Drops},
                               CommandName{"apply", Command::Apply},
                               CommandName{"export", Command::Export},
                               CommandName{"layers", Command::Layers},
                               CommandName{"rules", Command::Rules},
                               CommandName{"spaces", Command::Spaces},
                               CommandName{"unified-flows", Command::UnifiedFlows},
                               CommandName{"process-tuples", Command::ProcessTuples}};

// How many words stand behind a command, and what they are.
struct Operands {
    Command command;
    std::size_t min;
    std::size_t max;
    std::string_view words;
};
constexpr std::array kOperands{
    Operands{Command::Layers, 1, 1, "PORT"}, Operands{Command::Rules, 1, 2, "PORT [LAYER]"},
    Operands{Command::Drops, 0, 1, "[PORT]"}, Operands{Command::UnifiedFlows, 0, 1, "[PORT]"},
    Operands{Command::ProcessTuples, 7, 7, "PORT PROTO SRC SPORT DST DPORT in|out"}};

const Operands* operands_of(Command command) {
    const auto* const found = std::ranges::find(kOperands, command, &Operands::command);
    return found == kOperands.end() ? nullptr : found;
}

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number > max) {
        return std::nullopt;
    }
    return number;
}
constexpr unsigned kMaxTraces = 100'000;
constexpr unsigned kMaxTtl = 255;

constexpr std::chrono::seconds kDefaultWait{30};
constexpr std::int64_t kMaxWait = 86'400;

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || seconds < 0 ||
        seconds > kMaxWait) {
        return std::nullopt;
    }
    return std::chrono::seconds(seconds);
}

// Collects the words one by one; check() then judges the whole.
class Parser {
  public:
    explicit Parser(std::span<const std::string> words) : words_(words) {}

    Result<Arguments> parse() {
        while (next_ < words_.size()) {
            const std::string& word = words_[next_++];
            const bool is_option = !options_ended_ && word.size() > 1 && word.front() == '-';
            if (auto status = is_option ? option(word) : operand(word); !status) {
                return status.error();
            }
        }
        return check();
    }

  private:
    Status option(const std::string& word);
    Status option_with_value(const std::string& name, const std::string& value);
    Status option_of_views(const std::string& name, const std::string& value);
    Status operand(const std::string& word);
    Result<Arguments> check();
    Status check_views() const;
    Result<Arguments> check_remote();

    std::span<const std::string> words_;
    std::size_t next_ = 0;
    bool options_ended_ = false;
    bool command_seen_ = false;
    bool help_ = false;
    bool version_ = false;
    std::string command_word_;
    ovs::TlsFiles tls_;
    Arguments arguments_;
};

Status Parser::option(const std::string& word) {
    const std::size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    if (name == "-p" || name == "-c" || name == "-C") {
        name = name == "-p" ? "--private-key" : name == "-c" ? "--certificate" : "--ca-cert";
    }
    const bool takes_value = name == "--run-dir" || name == "--db" || name == "--private-key" ||
                             name == "--certificate" || name == "--ca-cert" || name == "--max" ||
                             name == "--ttl" || name == "--ct-state" || name == "--from";
    if (takes_value || (name == "--wait" && equals != std::string::npos)) {
        if (equals != std::string::npos) {
            return option_with_value(name, word.substr(equals + 1));
        }
        if (next_ == words_.size()) {
            return Error(name + " needs a value");
        }
        return option_with_value(name, words_[next_++]);
    }
    if (word == "--") {
        options_ended_ = true;
    } else if (word == "--help" || word == "-h") {
        help_ = true;
    } else if (word == "--version" || word == "-V") {
        version_ = true;
    } else if (word == "--json") {
        arguments_.json = true;
    } else if (word == "--dry-run") {
        arguments_.dry_run = true;
    } else if (word == "--wait") {
        arguments_.wait = kDefaultWait;
    } else {
        return Error("'" + word + "' is not an option");
    }
    return {};
}

Status Parser::option_with_value(const std::string& name, const std::string& value) {
    if (value.empty()) {
        return Error(name + " needs a value");
    }
    if (name == "--run-dir") {
        std::error_code error;
        arguments_.run_dir = std::filesystem::absolute(value, error).string();
        return error ? Status(Error(name + ": " + error.message())) : Status();
    }
    if (name == "--wait") {
        arguments_.wait = parse_seconds(value);
        return arguments_.wait
                   ? Status()
                   : Status(Error("--wait: '" + value + "' is not a number of seconds"));
    }
    if (name == "--max" || name == "--ttl" || name == "--ct-state" || name == "--from") {
        return option_of_views(name, value);
    }
    (name == "--db"            ? arguments_.db_remote
     : name == "--private-key" ? tls_.private_key
     : name == "--certificate" ? tls_.certificate
                               : tls_.ca_certificate) = value;
    return {};
}

Status Parser::option_of_views(const std::string& name, const std::string& value) {
    if (name == "--max") {
        arguments_.max_traces = parse_number(value, kMaxTraces);
        return arguments_.max_traces
                   ? Status()
                   : Status(Error("--max: '" + value + "' is not a number of 0.." +
                                  std::to_string(kMaxTraces)));
    }
    if (name == "--ttl") {
        arguments_.ttl = parse_number(value, kMaxTtl);
        return arguments_.ttl ? Status() : Status(Error("--ttl: '" + value + "' is not a TTL"));
    }
    if (name == "--from") {
        arguments_.sender_pa = IpAddress::parse(value);
        return arguments_.sender_pa ? Status()
                                    : Status(Error("--from: '" + value + "' is not an address"));
    }
    arguments_.ct_state = value;
    return {};
}

Status Parser::operand(const std::string& word) {
    if (!command_seen_) {
        for (const auto& [name, command] : kCommands) {
            if (word == name) {
                arguments_.command = command;
                command_seen_ = true;
                command_word_ = word;
                return {};
            }
        }
        return Error("'" + word + "' is not a command");
    }
    if (arguments_.command == Command::Apply && arguments_.file.empty()) {
        if (word.empty()) {
            return Error("apply: the file's name is empty");
        }
        arguments_.file = word;
        return {};
    }
    if (const Operands* operands = operands_of(arguments_.command);
        operands != nullptr && arguments_.operands.size() < operands->max) {
        arguments_.operands.push_back(word);
        return {};
    }
    return Error(command_word_ + ": '" + word + "' is one argument too many");
}

Result<Arguments> Parser::check() {
    if (help_ || version_) {
        arguments_.command = help_ ? Command::Help : Command::Version;
        return arguments_;
    }
    if (!command_seen_) {
        return Error("no command given");
    }
    const bool is_apply = arguments_.command == Command::Apply;
    if (is_apply && arguments_.file.empty()) {
        return Error("apply: no file given");
    }
    if (is_apply && arguments_.json) {
        return Error("apply: --json is not for this command");
    }
    if (is_apply && arguments_.dry_run && arguments_.wait) {
        return Error("apply: --dry-run has nothing to --wait for");
    }
    if (!is_apply && (arguments_.dry_run || arguments_.wait)) {
        return Error(command_word_ + ": " + (arguments_.dry_run ? "--dry-run" : "--wait") +
                     " is for apply only");
    }
    if (!is_apply && arguments_.command != Command::Export && !arguments_.db_remote.empty()) {
        return Error(command_word_ + ": --db is for apply and export only");
    }
    if (Status views = check_views(); !views) {
        return views.error();
    }
    return check_remote();
}

Status Parser::check_views() const {
    const Operands* operands = operands_of(arguments_.command);
    if (operands != nullptr && arguments_.operands.size() < operands->min) {
        return Error(command_word_ + ": usage: hnvctl " + command_word_ + " " +
                     std::string(operands->words));
    }
    if (arguments_.max_traces && arguments_.command != Command::UnifiedFlows) {
        return Error(command_word_ + ": --max is for unified-flows only");
    }
    if ((arguments_.ttl || arguments_.ct_state || arguments_.sender_pa) &&
        arguments_.command != Command::ProcessTuples) {
        return Error(command_word_ + ": --ttl, --ct-state and --from are for process-tuples only");
    }
    return {};
}

Result<Arguments> Parser::check_remote() {
    const std::string& remote = arguments_.db_remote;
    const bool is_ssl = remote.starts_with("ssl:");
    if (!remote.empty() && !is_ssl && !remote.starts_with("unix:") && !remote.starts_with("tcp:")) {
        return Error("--db: '" + remote + "' does not begin with unix:, tcp: or ssl:");
    }
    const auto missing = static_cast<int>(tls_.private_key.empty()) +
                         static_cast<int>(tls_.certificate.empty()) +
                         static_cast<int>(tls_.ca_certificate.empty());
    if (missing != 0 && (is_ssl || missing != 3)) {
        return Error(
            "--private-key, --certificate and --ca-cert belong together, and to an ssl: remote");
    }
    if (missing == 0) {
        arguments_.tls = tls_;
    }
    return arguments_;
}

}  // namespace

std::string_view usage_text() {
    return R"(hnvctl: looks into hnv-agent and writes its policy
usage: hnvctl [OPTION]... COMMAND

What the agent does (--json prints the data instead of a table):
  status              is it healthy, and what is it working on
  ports               ports of this host and the state of each
  mappings            customer address to provider address, for each virtual subnet
  provider-addresses  this host's provider addresses
  faults              rows of the policy that could not be realised, and why
  nat                 external addresses at gateway ports, their connections and drops
  drops [PORT]        packets that the switch has dropped, by port and reason

What the switch does with packets, by the layers that they pass:
  process-tuples PORT PROTO SRC SPORT DST DPORT in|out
                      what becomes of such a packet, which layer and rule decides it; nothing is
                      sent. PROTO: tcp, udp, sctp, icmp, icmpv6 (ports: type and code) or a number
      --ttl=TTL         of the packet (64 if not given)
      --ct-state=STATE  of its connection: new (if not given), est or est,rpl
      --from=PA         in: the host that sends it (of the mapping if not given)
  layers PORT         the layers of a port in each direction, their groups, rules and counters
  rules PORT [LAYER]  layer by layer, what is programmed for a port, with counters
  unified-flows [PORT]
                      flows in the datapath, with the layers and rules that made them
      --max=N           how many of them are traced back (100 if not given)
  spaces              virtual networks and their subnets; provider addresses and peers

The policy, written and read over OVSDB:
  apply FILE          make the databases equal to a policy file ("-": standard input)
      --dry-run         only say what would change
      --wait[=SECONDS]  until the switch has confirmed it (30 seconds if not given)
  export              print the policy file of what is in the databases

Options:
  --run-dir=DIR       the agent's run directory (/run/hnv-agent)
  --db=REMOTE         the OVSDB server for apply and export: unix:FILE, tcp:HOST:PORT or
                      ssl:HOST:PORT (the socket db.sock in the run directory)
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE
                      PEM files for an ssl: remote
  -h, --help          this text
  -V, --version       the version

Exit status: 0 done; 1 failed, or status: not healthy; 2 the command line is wrong.
)";
}

Result<Arguments> parse_arguments(std::span<const std::string> words) {
    return Parser(words).parse();
}

}  // namespace hnv::cli
