#include "cli/apply.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "cli/ovsdb_session.h"
#include "cli/policy_file.h"

namespace hnv::cli {
namespace {

// Another controller may write between our reading and our writing, and a locator that nothing
// refers to any more goes by itself between two transactions. Then the plan no longer fits, the
// server refuses it, and a new look helps: as long as that gets further, and this often if not.
constexpr int kIdleAttempts = 3;

Result<std::string> read_text(std::istream& in) {
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (in.bad()) {
        return Error("cannot be read");
    }
    return text;
}

Result<ParsedPolicy> load(const Arguments& arguments, const Terminal& terminal) {
    const bool standard_input = arguments.file == "-";
    const std::string name = standard_input ? "standard input" : arguments.file;
    std::ifstream file;
    if (!standard_input) {
        file.open(arguments.file);
        if (!file) {
            return Error(name + ": cannot be opened");
        }
    }
    const auto text = read_text(standard_input ? terminal.in : file);
    if (!text) {
        return text.error().with_context(name);
    }
    auto parsed = parse_policy(*text);
    if (!parsed) {
        return Error(name + " is refused, nothing was written:\n" + parsed.error().message());
    }
    return parsed;
}

struct PlannedWork {
    Plan plan;
    SequenceRow sequence;
};

template <typename Rows>
Result<PlannedWork> planned(const Result<Rows>& rows, const Policy& policy,
                            Plan (*make_plan)(const Policy&, const Rows&)) {
    if (!rows) {
        return rows.error();
    }
    return PlannedWork{make_plan(policy, *rows), rows->sequence};
}

Result<PlannedWork> plan_database(OvsdbSession& session, std::string_view database,
                                  const Policy& policy) {
    if (database == kHostDatabase) {
        return planned(session.read_host(), policy, plan_host);
    }
    if (database == kFirewallDatabase) {
        return planned(session.read_firewall(), policy, plan_firewall);
    }
    return planned(session.read_vtep(), policy, plan_vtep);
}

// Carries out what is planned. Gives the next_cfg that stands for it.
Result<std::int64_t> carry_out(OvsdbSession& session, PlannedWork& work, const Policy& policy,
                               const std::string& who) {
    int idle_attempts = 0;
    while (!work.plan.empty()) {
        auto next_cfg = session.execute(work.plan, work.sequence, who);
        if (next_cfg) {
            return next_cfg;
        }
        auto again = plan_database(session, work.plan.database, policy);
        if (!again) {
            return next_cfg;  // The first error tells more.
        }
        const bool got_further = again->plan.groups.size() < work.plan.groups.size();
        if (!got_further && ++idle_attempts == kIdleAttempts) {
            return next_cfg;
        }
        work = std::move(*again);
    }
    return work.sequence.next_cfg;
}

Status wait_for_all(OvsdbSession& session, const std::vector<PlannedWork>& works,
                    std::chrono::seconds timeout, const Terminal& terminal) {
    const auto start = std::chrono::steady_clock::now();
    for (const PlannedWork& work : works) {
        const Status reached = session.wait_for_cur_cfg(work.plan.database, work.sequence.table,
                                                        work.sequence.next_cfg, start + timeout);
        if (!reached) {
            return Error(reached.error().message() + " after " + std::to_string(timeout.count()) +
                         " s: the policy is written, but not yet in force; 'hnvctl status' tells "
                         "what the agent waits for");
        }
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    terminal.out << "in force, confirmed by the switch (waited " << took.count() << " ms)\n";
    // What could not be realised does not hold up cur_cfg.
    const auto faults = session.count_faults();
    if (!faults) {
        return faults.error();
    }
    if (*faults != 0) {
        terminal.err << "hnvctl: warning: " << *faults << (*faults == 1 ? " row" : " rows")
                     << " of the databases could not be realised; 'hnvctl faults' tells why\n";
    }
    return {};
}

}  // namespace

std::string database_remote(const Arguments& arguments) {
    return arguments.db_remote.empty() ? "unix:" + arguments.run_dir + "/db.sock"
                                       : arguments.db_remote;
}

Status apply_file(const Arguments& arguments, const Terminal& terminal) {
    const auto parsed = load(arguments, terminal);
    if (!parsed) {
        return parsed.error();
    }
    for (const std::string& warning : parsed->warnings) {
        terminal.err << "hnvctl: warning: " << warning << "\n";
    }
    auto session = OvsdbSession::connect(database_remote(arguments));
    if (!session) {
        return session.error();
    }
    std::vector<PlannedWork> works;
    for (const std::string_view database : {kHostDatabase, kFirewallDatabase, kVtepDatabase}) {
        auto work = plan_database(*session, database, parsed->policy);
        if (!work) {
            return work.error();
        }
        works.push_back(std::move(*work));
    }
    for (PlannedWork& work : works) {
        const std::string line = work.plan.database + ": " + summary(work.plan.counts);
        if (!arguments.dry_run) {
            auto next_cfg =
                carry_out(*session, work, parsed->policy, "hnvctl apply " + arguments.file);
            if (!next_cfg) {
                return next_cfg.error();
            }
            work.sequence.next_cfg = *next_cfg;
        }
        terminal.out << line << (arguments.dry_run ? " (not written)" : "") << "\n";
    }
    return arguments.wait ? wait_for_all(*session, works, *arguments.wait, terminal) : Status();
}

}  // namespace hnv::cli
