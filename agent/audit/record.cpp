#include "audit/record.h"

#include <json/writer.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "ovs-integration/wire.h"

namespace hnv::audit {

namespace {

[[nodiscard]] std::string rfc3339(std::chrono::system_clock::time_point time) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = micros / 1'000'000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros % 1'000'000));
    return std::string(date.data()) + fraction.data();
}

[[nodiscard]] std::string protocol_name(std::uint8_t protocol) {
    switch (protocol) {
        case wire::kTcp:
            return "TCP";
        case wire::kUdp:
            return "UDP";
        case wire::kSctp:
            return "SCTP";
        case wire::kIcmp:
            return "ICMP";
        case wire::kIcmpv6:
            return "ICMPv6";
        default:
            return std::to_string(protocol);
    }
}

// An object that is written key by key, in the order of the calls.
class Line {
  public:
    Line& add(const char* key, const std::string& value) {
        // Escapes what JSON wants escaped, and all that is not ASCII.
        return put(key, Json::valueToQuotedString(value.c_str()));
    }
    Line& add(const char* key, std::uint64_t value) { return put(key, std::to_string(value)); }
    [[nodiscard]] std::string end() && { return std::move(text_) + "}\n"; }

  private:
    Line& put(const char* key, const std::string& value) {
        text_ += text_.empty() ? "{\"" : ",\"";
        text_ += key;
        text_ += "\":";
        text_ += value;
        return *this;
    }
    std::string text_;
};

}  // namespace

std::string to_line(const Record& record) {
    const pipeline::AuditUserdata& decision = record.decision;
    const FlowTuple& flow = record.flow;
    Line line;
    line.add("time", rfc3339(record.time))
        .add("rule", decision.rule)
        .add("layer", decision.layer == policy::RuleLayer::Admin ? "admin" : "controller")
        .add("port", record.port)
        .add("direction",
             decision.direction == policy::Direction::Outbound ? "Outbound" : "Inbound")
        .add("verdict", decision.verdict == policy::RuleAction::Allow ? "Allow" : "Block")
        .add("vsid", record.vsid)
        .add("protocol", protocol_name(flow.protocol))
        .add("src_ip", flow.source.to_string())
        .add("dst_ip", flow.destination.to_string());
    if (flow.ports) {
        line.add("src_port", flow.ports->source).add("dst_port", flow.ports->destination);
    }
    if (flow.icmp) {
        line.add("icmp_type", flow.icmp->type).add("icmp_code", flow.icmp->code);
    }
    if (record.repeats > 0) {
        line.add("repeats", record.repeats);
    }
    return std::move(line).end();
}

}  // namespace hnv::audit
