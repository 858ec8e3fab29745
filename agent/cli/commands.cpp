#include "cli/commands.h"

#include <json/writer.h>

#include <iostream>

#include "cli/apply.h"
#include "cli/args.h"
#include "cli/host_facts.h"
#include "cli/nat_command.h"
#include "cli/operator_commands.h"
#include "cli/operator_views.h"
#include "cli/ovsdb_json.h"
#include "cli/ovsdb_session.h"
#include "cli/policy_export.h"
#include "cli/policy_file.h"
#include "cli/views.h"

namespace hnv::cli {
namespace {

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
    const auto answer = ask_agent(arguments, unixctl_command, arguments.operands);
    if (!answer) {
        return fail(terminal, answer.error());
    }
    terminal.out << (arguments.json ? pretty_text(*answer) : view(*answer, terminal.colour));
    const bool good = arguments.command != Command::Status ||
                      (answer->isObject() && (*answer)["healthy"] == true);
    return good ? kExitOk : kExitFailure;
}

// Of a command that looks into the switch.
int show_answer(const Arguments& arguments, const Terminal& terminal,
                Result<Json::Value> (*ask)(const Arguments&),
                std::string (*view)(const Json::Value&, bool)) {
    const auto answer = ask(arguments);
    if (!answer) {
        return fail(terminal, answer.error());
    }
    terminal.out << (arguments.json ? pretty_text(*answer) : view(*answer, terminal.colour));
    return kExitOk;
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
        case Command::Layers:
            return show_answer(arguments, terminal, layers_of_port, layers_view);
        case Command::Rules:
            return show_answer(arguments, terminal, rules_of_port, rules_view);
        case Command::Spaces:
            return show_answer(arguments, terminal, spaces, spaces_view);
        case Command::UnifiedFlows:
            return show_answer(arguments, terminal, unified_flows, unified_flows_view);
        case Command::ProcessTuples:
            return show_answer(arguments, terminal, process_tuple, process_tuples_view);
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
