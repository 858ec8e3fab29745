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
    EXPECT_EQ(parse({"drops"})->port, "");
    const auto result = parse({"drops", "contoso-sql", "--json"});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->command, Command::Drops);
    EXPECT_EQ(result->port, "contoso-sql");
    EXPECT_EQ(error_of({"drops", "a", "b"}), "drops: 'b' is one argument too many");
    EXPECT_EQ(error_of({"drops", ""}), "drops: '' is one argument too many");
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

}  // namespace
}  // namespace hnv::cli
