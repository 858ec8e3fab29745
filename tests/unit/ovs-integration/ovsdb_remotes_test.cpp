// Remotes, clients, TLS, the _Server database.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "ovsdb_server_fixture.h"

namespace hnv::ovs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

bool can_connect(const std::string& port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    const bool connected =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return connected;
}

TEST_F(OvsdbServerTest, ClientsFindTheDatabases) {
    open();
    listen();
    EXPECT_EQ(client("list-dbs"), "_Server\ntest\n");
    const std::string server = client("dump", "_Server Database name model connected leader");
    EXPECT_THAT(server, testing::ContainsRegex("true +true +standalone +_Server"));
    EXPECT_THAT(server, testing::ContainsRegex("true +true +standalone +test"));
    EXPECT_THAT(client("query", R"('["_Server",{"op":"select","table":"Database",)"
                                R"("where":[["name","==","test"]],"columns":["schema"]}]')"),
                HasSubstr("by_vlan"));
}

TEST_F(OvsdbServerTest, AWaitingTransactionGoesOnWhenItsConditionIsMet) {
    open();
    listen();
    Recorder heard;
    server_->subscribe(heard);
    const std::string wait =
        "(ovsdb-client --timeout=15 transact " + socket_ +
        R"( '["test",{"op":"wait","table":"Thing","where":[],"columns":["name"],"until":"==",)"
        R"("rows":[{"name":"go"}]},)" +
        insert_thing("done") + R"(]' & waiter=$!; until ovsdb-client --timeout=15 transact )" +
        socket_ + R"( '["test",)" + insert_thing("go") + R"(]'; do :; done; wait $waiter))";
    shell(wait);
    EXPECT_EQ(exit_status_, 0);
    EXPECT_THAT(names(), UnorderedElementsAre("go", "done"));
}

TEST_F(OvsdbServerTest, AReadOnlyRemoteRefusesToWriteEvenIfARowNamesItToo) {
    open();
    server_->set_remotes(
        {{.target = "p" + socket_, .read_only = true}, {.target = "db:test,Root,targets"}});
    write(R"({"op":"insert","table":"Root","row":{"targets":"p)" + socket_ + R"("}})");
    EXPECT_THAT(transact(insert_thing("a")), HasSubstr("read only"));
    EXPECT_THAT(client("dump", "test Thing name"), HasSubstr("Thing table"));
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(OvsdbServerTest, ManagerRowsMakeRemotesAndGetTheirStatus) {
    open();
    server_->set_remotes({{.target = "db:test,Root,managers"}, {.target = "db:test,Root,targets"}});
    EXPECT_EQ(server_->remote_error(), "");
    write(
        R"({"op":"insert","table":"Manager","uuid-name":"m","row":{"target":"ptcp:0:127.0.0.1"}},)"
        R"({"op":"insert","table":"Root","row":{"managers":["named-uuid","m"],)"
        R"("targets":"p)" +
        socket_ + R"("}})");
    EXPECT_EQ(client("list-dbs"), "_Server\ntest\n");
    const std::string port = bound_port();
    ASSERT_NE(port, "");
    EXPECT_TRUE(can_connect(port));
    EXPECT_EQ(shell("ovsdb-client --timeout=15 list-dbs tcp:127.0.0.1:" + port), "_Server\ntest\n");
    // Ephemeral: not in the file.
    EXPECT_THAT(read_file(file_), Not(HasSubstr("bound_port")));

    write(R"({"op":"delete","table":"Root","where":[]})");
    server_->run();
    EXPECT_FALSE(can_connect(port));
}

TEST_F(OvsdbServerTest, RemotesThatFailAreNamedAndTheOthersServe) {
    open();
    server_->set_remotes({{.target = "p" + socket_},
                          {.target = "punix:" + dir_ + "/no/such/dir.sock"},
                          {.target = "nonsense"},
                          {.target = "db:test,Root"},
                          {.target = "db:none,Root,targets"},
                          {.target = "db:test,None,targets"},
                          {.target = "db:test,Root,none"}});
    const std::string error = server_->remote_error();
    EXPECT_THAT(error, HasSubstr("no/such/dir.sock: cannot listen"));
    EXPECT_THAT(error, HasSubstr("nonsense: not a remote"));
    EXPECT_THAT(error, HasSubstr("db:test,Root: not of the form"));
    EXPECT_THAT(error, HasSubstr("db:none,Root,targets: no such database"));
    EXPECT_THAT(error, HasSubstr("db:test,None,targets: no such table"));
    EXPECT_THAT(error, HasSubstr("db:test,Root,none: no such column"));
    EXPECT_EQ(client("list-dbs"), "_Server\ntest\n");
    listen();
    EXPECT_EQ(server_->remote_error(), "");
}

TEST_F(OvsdbServerTest, TlsClientsNeedACertificateOfTheSameAuthority) {
    open();
    const std::string make =
        "cd " + dir_ +
        " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout key -out cert"
        " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout xkey -out xcert";
    const std::string made = shell(make);
    ASSERT_EQ(exit_status_, 0) << made;
    server_->set_tls({dir_ + "/key", dir_ + "/cert", dir_ + "/cert"});
    server_->run();
    server_->set_remotes({{.target = "pssl:0:127.0.0.1"}, {.target = "db:test,Root,managers"}});
    write(
        R"({"op":"insert","table":"Manager","uuid-name":"m","row":{"target":"pssl:0:127.0.0.1"}},)"
        R"({"op":"insert","table":"Root","row":{"managers":["named-uuid","m"]}})");
    const std::string port = bound_port();
    socket_ = "ssl:127.0.0.1:" + port;
    tls_options_ = "-p " + dir_ + "/key -c " + dir_ + "/cert -C " + dir_ + "/cert";
    EXPECT_EQ(client("list-dbs"), "_Server\ntest\n");
    tls_options_ = "-p " + dir_ + "/xkey -c " + dir_ + "/xcert -C " + dir_ + "/cert";
    EXPECT_THAT(client("list-dbs"), HasSubstr("failed"));
}

}  // namespace
}  // namespace hnv::ovs
