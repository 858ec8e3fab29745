// Between Flow values and libopenvswitch's structures. Private to ovs-integration: this header and
// the .cpp files that include it are where OpenFlow structures of libopenvswitch appear.
#pragma once

#include "ovs-integration/flow.h"
#include "ovs-integration/ovs_headers.h"

namespace hnv::ovs {

// The version that the agent speaks, and its match encoding.
inline constexpr ofp_version kOpenFlowVersion = OFP14_VERSION;
inline constexpr ofputil_protocol kOpenFlowProtocol = OFPUTIL_P_OF14_OXM;

struct OfpbufDeleter {
    void operator()(ofpbuf* buffer) const { ofpbuf_delete(buffer); }
};
using OfpbufPtr = std::unique_ptr<ofpbuf, OfpbufDeleter>;

// Encodes by libopenvswitch and takes the message apart.
[[nodiscard]] Flow encode_flow(const match& match, std::uint8_t table, std::uint16_t priority,
                               std::uint64_t cookie, const ofpact* actions,
                               std::size_t actions_length);

// The flow_mod message (ONF TS-012 7.3.4.2) for a Flow; `command` is an ofp_flow_mod_command.
[[nodiscard]] Bytes flow_mod_message(const Flow& flow, std::uint8_t command, std::uint32_t xid);

}  // namespace hnv::ovs
