// Any bytes as a packet-in of the audit log: the parser stays in its view, what it tells is of the
// bytes, and the record is one line of JSON. The first byte says how many bytes of userdata follow.
#include <json/reader.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "audit/audit_log.h"

namespace {

using namespace hnv;  // NOLINT(google-build-using-namespace): one file, one function.

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

// The addresses are behind the Ethernet header, wherever the rest is.
void check(const std::vector<std::uint8_t>& frame, const audit::FlowTuple& flow) {
    const bool v4 = frame[12] == 8;
    require(frame.size() >= (v4 ? 34U : 54U));
    if (v4) {
        require(flow.source.is_v4() && flow.destination.is_v4());
        require(flow.protocol == frame[23]);
    }
    require(!(flow.ports && flow.icmp));
    if (flow.ports) {
        const std::uint8_t bytes[4] = {static_cast<std::uint8_t>(flow.ports->source >> 8),
                                       static_cast<std::uint8_t>(flow.ports->source),
                                       static_cast<std::uint8_t>(flow.ports->destination >> 8),
                                       static_cast<std::uint8_t>(flow.ports->destination)};
        require(std::search(frame.begin() + 14, frame.end(), bytes, bytes + 4) != frame.end());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> bytes(data, data + size);
    if (bytes.empty()) {
        return 0;
    }
    const std::size_t userdata = std::min<std::size_t>(bytes.front(), size - 1);
    const auto middle = bytes.begin() + 1 + static_cast<std::ptrdiff_t>(userdata);
    ovs::PacketIn packet_in;
    packet_in.userdata.assign(bytes.begin() + 1, middle);
    packet_in.packet.assign(middle, bytes.end());
    packet_in.registers = {5001, 7, 8};
    if (const auto flow = audit::parse_flow(packet_in.packet)) {
        check(packet_in.packet, *flow);
    }
    const auto decision = audit::read(packet_in);
    if (!decision) {
        return 0;
    }
    require(pipeline::encode_audit(decision->decision) == packet_in.userdata);
    const std::string line =
        audit::to_line({{}, decision->decision, "port", decision->vsid, decision->flow, 0});
    require(line.find('\n') == line.size() - 1);
    const std::unique_ptr<Json::CharReader> reader(Json::CharReaderBuilder().newCharReader());
    Json::Value value;
    require(reader->parse(line.data(), line.data() + line.size(), &value, nullptr));
    require(value["src_ip"].isString() && value["rule"].isString());
    return 0;
}
