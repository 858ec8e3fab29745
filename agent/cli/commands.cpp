#include "cli/commands.h"

#include <json/writer.h>

#include <iostream>

#include "cli/apply.h"
#include "cli/args.h"
#include "cli/nat_command.h"
#include "cli/ovsdb_json.h"
#include "cli/ovsdb_session.h"
#include "cli/policy_export.h"
#include "cli/policy_file.h"
#include "cli/views.h"
#include "ovs-integration/unixctl_client.h"

namespace hnv::cli {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};

int fail(const Terminal& terminal, const Error& error) {
    terminal.err << "hnvctl: " << error.message() << "\n";
    return kExitFailure;
}

std::string pretty_text(const Json::Value& value) {
    Json::StreamWriterBuilder builder;
    builder["indentation"] = "  ";
    builder["emitUTF8"] = true;
    return Json::writeString(builder, value) + "\n";
}

Result<Json::Value> ask_agent(const Arguments& arguments, const std::string& command) {
    const std::string socket = arguments.run_dir + "/hnv-agent.ctl";
    std::vector<std::string> operands;
    if (!arguments.port.empty()) {
        operands.push_back(arguments.port);
    }
    const auto answer = ovs::unixctl_call(socket, command, operands, kAnswerTimeout);
    if (!answer && !operands.empty() && answer.error().message().starts_with("unix:")) {
        return answer.error();  // It has connected: the agent says so itself.
    }
    if (!answer) {
        return Error(answer.error().message() +
                     "\nIs hnv-agent running? --run-dir names another run directory.");
    }
    auto value = parse_json(*answer);
    if (!value) {
        return Error("the agent's answer to " + command + " is not JSON");
    }
    return std::move(*value);
}

int show_nat(const Arguments& arguments, const Terminal& terminal) {
    auto nat = ask_agent(arguments, "hnv/nat");
    if (!nat) {
        return fail(terminal, nat.error());
    }
    if (const Status counted = count_nat(*nat); !counted) {
        terminal.err << "hnvctl: not counted: " << counted.error().message() << "\n";
    }
    terminal.out << (arguments.json ? pretty_text(*nat) : nat_view(*nat, terminal.colour));
    return kExitOk;
}

int show(const Arguments& arguments, const Terminal& terminal, const std::string& unixctl_command,
         std::string (*view)(const Json::Value&, bool)) {
    const auto answer = ask_agent(arguments, unixctl_command);
    if (!answer) {
        return fail(terminal, answer.error());
    }
    terminal.out << (arguments.json ? pretty_text(*answer) : view(*answer, terminal.colour));
    const bool good = arguments.command != Command::Status ||
                      (answer->isObject() && (*answer)["healthy"] == true);
    return good ? kExitOk : kExitFailure;
}

int export_command(const Arguments& arguments, const Terminal& terminal) {
    auto session = OvsdbSession::connect(database_remote(arguments));
    if (!session) {
        return fail(terminal, session.error());
    }
    const auto host = session->read_host();
    const auto firewall = session->read_firewall();
    const auto vtep = session->read_vtep();
    if (!host || !firewall || !vtep) {
        return fail(terminal, !host ? host.error() : !firewall ? firewall.error() : vtep.error());
    }
    const ExportedPolicy exported = export_policy(*host, *firewall, *vtep);
    for (const std::string& omitted : exported.omitted) {
        terminal.err << "hnvctl: not exported: " << omitted << "\n";
    }
    terminal.out << write_policy(exported.policy);
    return kExitOk;
}

int dispatch(const Arguments& arguments, std::string_view version, const Terminal& terminal) {
    switch (arguments.command) {
        case Command::Help:
            terminal.out << usage_text();
            return kExitOk;
        case Command::Version:
            terminal.out << "hnvctl " << version << "\n";
            return kExitOk;
        case Command::Status:
            return show(arguments, terminal, "hnv/status", status_view);
        case Command::Ports:
            return show(arguments, terminal, "hnv/ports", ports_view);
        case Command::Mappings:
            return show(arguments, terminal, "hnv/mappings", mappings_view);
        case Command::ProviderAddresses:
            return show(arguments, terminal, "hnv/provider-addresses", provider_addresses_view);
        case Command::Faults:
            return show(arguments, terminal, "hnv/faults", faults_view);
        case Command::Nat:
            return show_nat(arguments, terminal);
        case Command::Drops:
            return show(arguments, terminal, "hnv/drops", drops_view);
        case Command::Apply: {
            const Status status = apply_file(arguments, terminal);
            return status ? kExitOk : fail(terminal, status.error());
        }
        case Command::Export:
            return export_command(arguments, terminal);
    }
    return kExitUsage;
}

}  // namespace

int run(std::span<const std::string> words, std::string_view version, const Terminal& terminal) {
    const auto arguments = parse_arguments(words);
    if (!arguments) {
        terminal.err << "hnvctl: " << arguments.error().message() << "\nTry 'hnvctl --help'.\n";
        return kExitUsage;
    }
    if (arguments->tls) {
        ovs::use_tls_files(*arguments->tls);
    }
    return dispatch(*arguments, version, terminal);
}

}  // namespace hnv::cli
