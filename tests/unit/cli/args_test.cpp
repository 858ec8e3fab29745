#include "cli/args.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

namespace hnv::cli {
namespace {

Result<Arguments> parse(const std::vector<std::string>& words) { return parse_arguments(words); }

std::string error_of(const std::vector<std::string>& words) {
    const auto result = parse(words);
    return result ? "accepted" : result.error().message();
}

TEST(Args, OptionsMayStandAnywhere) {
    const auto result = parse({"--run-dir=/x", "ports", "--json"});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->command, Command::Ports);
    EXPECT_EQ(result->run_dir, "/x");
    EXPECT_TRUE(result->json);
}

TEST(Args, ARelativeRunDirectoryIsOfThisDirectory) {
    const auto result = parse({"status", "--run-dir", "run"});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->run_dir, std::filesystem::absolute("run").string());
}

TEST(Args, WaitHasADefault) {
    EXPECT_EQ(parse({"apply", "f", "--wait"})->wait, std::chrono::seconds(30));
    EXPECT_EQ(parse({"apply", "f", "--wait=5"})->wait, std::chrono::seconds(5));
    EXPECT_EQ(parse({"apply", "--wait", "f"})->file, "f");
    EXPECT_EQ(parse({"apply", "f"})->wait, std::nullopt);
}

TEST(Args, FilesMayLookLikeOptions) {
    EXPECT_EQ(parse({"apply", "-"})->file, "-");
    EXPECT_EQ(parse({"apply", "--", "--wait"})->file, "--wait");
}

TEST(Args, DropsAreOfAllPortsOrOfOne) {
    EXPECT_TRUE(parse({"drops"})->operands.empty());
    const auto result = parse({"drops", "contoso-sql", "--json"});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->command, Command::Drops);
    EXPECT_EQ(result->operands, std::vector<std::string>{"contoso-sql"});
    EXPECT_EQ(error_of({"drops", "a", "b"}), "drops: 'b' is one argument too many");
}

TEST(Args, HelpNeedsNothingElse) {
    EXPECT_EQ(parse({"--help"})->command, Command::Help);
    EXPECT_EQ(parse({"apply", "--help"})->command, Command::Help);
    EXPECT_EQ(parse({"-V"})->command, Command::Version);
}

TEST(Args, ErrorsNameTheWord) {
    EXPECT_EQ(error_of({}), "no command given");
    EXPECT_EQ(error_of({"frob"}), "'frob' is not a command");
    EXPECT_EQ(error_of({"--frob", "status"}), "'--frob' is not an option");
    EXPECT_EQ(error_of({"--json=1", "status"}), "'--json=1' is not an option");
    EXPECT_EQ(error_of({"status", "x"}), "status: 'x' is one argument too many");
    EXPECT_EQ(error_of({"apply"}), "apply: no file given");
    EXPECT_EQ(error_of({"apply", "a", "b"}), "apply: 'b' is one argument too many");
    EXPECT_EQ(error_of({"apply", "a", "--wait=soon"}), "--wait: 'soon' is not a number of seconds");
    EXPECT_EQ(error_of({"apply", "a", "--wait", "--dry-run"}),
              "apply: --dry-run has nothing to --wait for");
    EXPECT_EQ(error_of({"ports", "--wait"}), "ports: --wait is for apply only");
    EXPECT_EQ(error_of({"ports", "--db=tcp:h:1"}), "ports: --db is for apply and export only");
    EXPECT_EQ(error_of({"status", "--run-dir"}), "--run-dir needs a value");
    EXPECT_EQ(error_of({"status", "--run-dir="}), "--run-dir needs a value");
    EXPECT_EQ(error_of({"export", "-p", "key.pem"}),
              "--private-key, --certificate and --ca-cert belong together, and to an ssl: remote");
    EXPECT_EQ(error_of({"export", "--db=ssl:h:1"}),
              "--private-key, --certificate and --ca-cert belong together, and to an ssl: remote");
    EXPECT_EQ(error_of({"export", "--db=h:1"}),
              "--db: 'h:1' does not begin with unix:, tcp: or ssl:");
}

TEST(Args, CommandsThatLookIntoTheSwitchHaveOperands) {
    EXPECT_EQ(parse({"rules", "app", "guard"})->operands.at(1), "guard");
    EXPECT_TRUE(parse({"unified-flows"})->operands.empty());
    EXPECT_EQ(parse({"unified-flows", "--max=7"})->max_traces, 7U);
    const auto tuple = parse({"process-tuples", "app", "tcp", "10.1.1.11", "1", "10.1.1.12", "2",
                              "in", "--ttl", "5", "--ct-state=est,rpl", "--from=192.168.1.1"});
    ASSERT_TRUE(tuple);
    EXPECT_EQ(tuple->operands.size(), 7U);
    EXPECT_EQ(tuple->ttl, 5U);
    EXPECT_EQ(tuple->ct_state, "est,rpl");
    EXPECT_EQ(tuple->sender_pa, IpAddress::parse("192.168.1.1"));
}

TEST(Args, ErrorsOfCommandsThatLookIntoTheSwitch) {
    EXPECT_EQ(error_of({"layers"}), "layers: usage: hnvctl layers PORT");
    EXPECT_EQ(error_of({"layers", "a", "b"}), "layers: 'b' is one argument too many");
    EXPECT_EQ(error_of({"spaces", "a"}), "spaces: 'a' is one argument too many");
    EXPECT_EQ(error_of({"process-tuples", "app", "tcp"}),
              "process-tuples: usage: hnvctl process-tuples PORT PROTO SRC SPORT DST DPORT in|out");
    EXPECT_EQ(error_of({"unified-flows", "--max=many"}),
              "--max: 'many' is not a number of 0..100000");
    EXPECT_EQ(error_of({"layers", "a", "--max=1"}), "layers: --max is for unified-flows only");
    EXPECT_EQ(error_of({"layers", "a", "--ttl=256"}), "--ttl: '256' is not a TTL");
    EXPECT_EQ(error_of({"layers", "a", "--ttl=1"}),
              "layers: --ttl, --ct-state and --from are for process-tuples only");
    EXPECT_EQ(error_of({"layers", "a", "--from=x"}), "--from: 'x' is not an address");
}

}  // namespace
}  // namespace hnv::cli
