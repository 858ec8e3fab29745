// OpenFlow 1.4 messages to and from the switch, as values (ONF TS-012; Nicira extensions as in
// Open vSwitch's nicira-ext.h).
//
// Thread: free functions on values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ovs-integration/flow.h"
#include "ovs-integration/result.h"

namespace hnv::ovs {

enum class MeterUnit : std::uint8_t { Packets, Kilobits };

// A meter that drops what exceeds `rate` units a second (with a burst of `burst` units). Bits are
// those of Ethernet frames without preamble and frame check sequence. Meters can't be in a bundle.
struct Meter {
    std::uint32_t id = 0;
    std::uint32_t rate = 0;  // At least 1.
    std::uint32_t burst = 0;
    MeterUnit unit = MeterUnit::Packets;

    bool operator==(const Meter&) const = default;
};

enum class FlowCommand : std::uint8_t { Add = 0, ModifyStrict = 2, DeleteStrict = 4 };
enum class MeterCommand : std::uint8_t { Add = 0, Modify = 1, Delete = 2 };

// --- requests. `xid` comes back in the reply or the error ---
[[nodiscard]] Bytes encode_bundle_open(std::uint32_t bundle, std::uint32_t xid);
// Takes effect by itself, when the switch comes to it.
[[nodiscard]] Bytes encode_flow_mod(FlowCommand command, const Flow& flow, std::uint32_t xid);
// The flow_mod and the message around it carry the same xid, so that an error names it whether it
// comes when the message is added or when the bundle is committed.
[[nodiscard]] Bytes encode_bundle_flow_mod(std::uint32_t bundle, FlowCommand command,
                                           const Flow& flow, std::uint32_t xid);
[[nodiscard]] Bytes encode_bundle_commit(std::uint32_t bundle, std::uint32_t xid);
[[nodiscard]] Bytes encode_barrier(std::uint32_t xid);
[[nodiscard]] Bytes encode_meter_mod(MeterCommand command, const Meter& meter, std::uint32_t xid);
[[nodiscard]] Bytes encode_all_flows_request(std::uint32_t xid);
// Which flows a request asks for: those that satisfy all that is set. A flow is matched by a field
// if its own match names that very value of the field (and maybe others).
struct FlowFilter {
    std::optional<std::uint8_t> table{};
    std::optional<std::uint64_t> cookie{};
    std::optional<std::pair<unsigned, std::uint32_t>> reg{};  // Which register, and its value.
    std::optional<std::uint64_t> metadata{};
    std::optional<std::uint32_t> in_port{};
};
[[nodiscard]] Bytes encode_flows_request(const FlowFilter& filter, std::uint32_t xid);
[[nodiscard]] Bytes encode_all_meters_request(std::uint32_t xid);
[[nodiscard]] Bytes encode_all_meter_stats_request(std::uint32_t xid);
[[nodiscard]] Bytes encode_flush_ct_zone(std::uint16_t zone, std::uint32_t xid);
// Makes a connection receive the packet-ins of controller() actions with this id, in the form that
// carries registers and userdata (NXT_PACKET_IN2).
[[nodiscard]] std::vector<Bytes> encode_packet_in_setup(std::uint16_t controller_id);
// Sends `packet` out of `ofport` without passing the tables.
[[nodiscard]] Bytes encode_packet_out(std::span<const std::uint8_t> packet, std::uint32_t ofport);

// --- replies ---
struct ErrorReply {
    std::uint32_t xid = 0;
    std::string name;  // Open vSwitch's name of the error, e.g. "OFPFMFC_TABLE_FULL".
};
struct BarrierReply {
    std::uint32_t xid = 0;
};
struct BundleCommitted {
    std::uint32_t xid = 0;
    std::uint32_t bundle = 0;
};
// One flow as the switch has it.
struct FlowRecord {
    Flow flow;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint32_t duration_sec = 0;
};
struct FlowStats {
    std::uint32_t xid = 0;
    std::vector<FlowRecord> flows;
    bool more = false;
};
struct MeterConfigs {
    std::uint32_t xid = 0;
    std::vector<Meter> meters;
    bool more = false;
};
// What a meter has dropped since it was made, or changed the last time.
struct MeterRecord {
    std::uint32_t id = 0;
    std::uint64_t dropped_packets = 0;
    std::uint64_t dropped_bytes = 0;
};
struct MeterStats {
    std::uint32_t xid = 0;
    std::vector<MeterRecord> meters;
    bool more = false;
};
struct PacketIn {
    std::vector<std::uint8_t> packet;
    std::uint32_t in_port = 0;
    std::uint64_t metadata = 0;
    std::vector<std::uint32_t> registers;  // reg0, reg1, ...
    std::vector<std::uint8_t> userdata;
    // Of a controller() action that pauses: the message that goes on with the packet (NXT_RESUME).
    // To be sent once, over any connection; empty: the action did not pause.
    Bytes resume{};
};
// Anything else; the agent has no use for it.
struct OtherMessage {};

using Message = std::variant<OtherMessage, ErrorReply, BarrierReply, BundleCommitted, FlowStats,
                             MeterConfigs, MeterStats, PacketIn>;

// Decodes one whole message. An error means that the message is malformed.
[[nodiscard]] Result<Message> decode(const Bytes& message);

}  // namespace hnv::ovs
