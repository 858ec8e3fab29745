#include "audit/record.h"

#include <gtest/gtest.h>
#include <json/reader.h>

#include <memory>
#include <sstream>

#include "support/policy_builder.h"

namespace hnv::audit {
namespace {

using namespace std::chrono_literals;
using policy::Direction;
using policy::RuleAction;
using policy::RuleLayer;
using test::ip;

Record a_record() {
    return {std::chrono::system_clock::time_point(1'767'323'045'000'042us),
            {Direction::Inbound, RuleAction::Block, RuleLayer::Admin, "no-web"},
            "contoso-sql",
            5001,
            {ip("10.1.1.12"), ip("10.1.1.11"), 6, FlowTuple::Ports{49152, 80}},
            0};
}

Json::Value parsed(const std::string& line) {
    EXPECT_EQ(line.back(), '\n');
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    Json::Value value;
    std::istringstream stream(line);
    std::string errors;
    EXPECT_TRUE(Json::parseFromStream(Json::CharReaderBuilder(), stream, &value, &errors))
        << errors << line;
    return value;
}

TEST(ToLine, IsOneObjectWithItsKeysInOrder) {
    EXPECT_EQ(to_line(a_record()),
              R"({"time":"2026-01-02T03:04:05.000042Z","rule":"no-web","layer":"admin",)"
              R"("port":"contoso-sql","direction":"Inbound","verdict":"Block","vsid":5001,)"
              R"("protocol":"TCP","src_ip":"10.1.1.12","dst_ip":"10.1.1.11",)"
              R"("src_port":49152,"dst_port":80})"
              "\n");
}

TEST(ToLine, TellsWhatTheProtocolHas) {
    Record record = a_record();
    record.decision.direction = Direction::Outbound;
    record.decision.verdict = RuleAction::Allow;
    record.decision.layer = RuleLayer::Controller;
    record.flow = {ip("fd00:1::12"), ip("fd00:1::11"), 58, {}, FlowTuple::Icmp{128, 0}};
    record.repeats = 17;
    const Json::Value line = parsed(to_line(record));
    EXPECT_EQ(line["direction"], "Outbound");
    EXPECT_EQ(line["verdict"], "Allow");
    EXPECT_EQ(line["layer"], "controller");
    EXPECT_EQ(line["protocol"], "ICMPv6");
    EXPECT_EQ(line["icmp_type"].asInt(), 128);
    EXPECT_EQ(line["repeats"].asInt(), 17);
    EXPECT_FALSE(line.isMember("src_port"));
    record.flow.protocol = 47;
    record.flow.icmp.reset();
    EXPECT_EQ(parsed(to_line(record))["protocol"], "47");
}

TEST(ToLine, StaysOneLineOfJsonWhateverTheNames) {
    Record record = a_record();
    record.decision.rule = "a\"b\\c\nd\x01 \xc3\xa9";
    record.port = "{\"x\":\"\r\n\"}";
    const Json::Value line = parsed(to_line(record));
    EXPECT_EQ(line["rule"].asString(), record.decision.rule);
    EXPECT_EQ(line["port"].asString(), record.port);
    record.decision.rule = "not UTF-8: \xff\xc3";
    EXPECT_TRUE(parsed(to_line(record)).isObject());
}

}  // namespace
}  // namespace hnv::audit
