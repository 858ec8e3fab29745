#include "ovs-integration/openflow.h"

#include <arpa/inet.h>
#include <endian.h>

#include "ovs-integration/flow_codec.h"

namespace hnv::ovs {

namespace {

constexpr std::uint16_t kBundleFlags = OFPBF_ATOMIC | OFPBF_ORDERED;

// Takes the message over and sets its length and xid.
[[nodiscard]] Bytes finish(ofpbuf* raw, std::uint32_t xid) {
    const OfpbufPtr message(raw);
    ofpmsg_update_length(message.get());
    static_cast<ofp_header*>(message->data)->xid = htonl(xid);
    return {static_cast<const char*>(message->data), message->size};
}

[[nodiscard]] Bytes bundle_control(std::uint32_t bundle, std::uint16_t type, std::uint32_t xid) {
    ofputil_bundle_ctrl_msg control{};
    control.bundle_id = bundle;
    control.type = type;
    control.flags = kBundleFlags;
    return finish(ofputil_encode_bundle_ctrl_request(kOpenFlowVersion, &control), xid);
}

[[nodiscard]] const ofp_header* header(const Bytes& message) {
    return reinterpret_cast<const ofp_header*>(message.data());
}

class ScopedBuffer {
  public:
    ScopedBuffer() { ofpbuf_init(&buffer_, 256); }
    ~ScopedBuffer() { ofpbuf_uninit(&buffer_); }
    ScopedBuffer(const ScopedBuffer&) = delete;
    ScopedBuffer& operator=(const ScopedBuffer&) = delete;
    ofpbuf* get() { return &buffer_; }

  private:
    ofpbuf buffer_;
};

[[nodiscard]] Result<Message> decode_flow_stats(const Bytes& message, std::uint32_t xid) {
    FlowStats reply;
    reply.xid = xid;
    reply.more = ofpmp_more(header(message));
    ofpbuf cursor =
        ofpbuf_const_initializer(message.data(), static_cast<std::uint32_t>(message.size()));
    ScopedBuffer actions;
    for (;;) {
        ofputil_flow_stats stats{};
        const int outcome = ofputil_decode_flow_stats_reply(&stats, &cursor, true, actions.get());
        if (outcome == EOF) {
            return Message(std::move(reply));
        }
        if (outcome != 0) {
            return Error(std::string("flow stats reply: ") +
                         ofperr_to_string(static_cast<ofperr>(outcome)));
        }
        reply.flows.push_back({encode_flow(stats.match, stats.table_id, stats.priority,
                                           be64toh(stats.cookie), stats.ofpacts, stats.ofpacts_len),
                               stats.packet_count, stats.byte_count, stats.duration_sec});
    }
}

[[nodiscard]] Result<Message> decode_meter_configs(const Bytes& message, std::uint32_t xid) {
    MeterConfigs reply;
    reply.xid = xid;
    reply.more = ofpmp_more(header(message));
    ofpbuf cursor =
        ofpbuf_const_initializer(message.data(), static_cast<std::uint32_t>(message.size()));
    ScopedBuffer bands;
    for (;;) {
        ofputil_meter_config config{};
        const int outcome = ofputil_decode_meter_config(&cursor, &config, bands.get());
        if (outcome == EOF) {
            return Message(std::move(reply));
        }
        if (outcome != 0) {
            return Error(std::string("meter config reply: ") +
                         ofperr_to_string(static_cast<ofperr>(outcome)));
        }
        const bool ours = config.n_bands == 1;
        const bool packets = (config.flags & OFPMF13_PKTPS) != 0;
        reply.meters.push_back({config.meter_id, ours ? config.bands[0].rate : 0,
                                ours ? config.bands[0].burst_size : 0,
                                packets ? MeterUnit::Packets : MeterUnit::Kilobits});
    }
}

[[nodiscard]] Result<Message> decode_meter_stats(const Bytes& message, std::uint32_t xid) {
    MeterStats reply;
    reply.xid = xid;
    reply.more = ofpmp_more(header(message));
    ofpbuf cursor =
        ofpbuf_const_initializer(message.data(), static_cast<std::uint32_t>(message.size()));
    ScopedBuffer bands;
    for (;;) {
        ofputil_meter_stats stats{};
        const int outcome = ofputil_decode_meter_stats(&cursor, &stats, bands.get());
        if (outcome == EOF) {
            return Message(std::move(reply));
        }
        if (outcome != 0) {
            return Error(std::string("meter stats reply: ") +
                         ofperr_to_string(static_cast<ofperr>(outcome)));
        }
        MeterRecord record{stats.meter_id};
        for (unsigned band = 0; band < stats.n_bands; ++band) {
            record.dropped_packets += stats.bands[band].packet_count;
            record.dropped_bytes += stats.bands[band].byte_count;
        }
        reply.meters.push_back(record);
    }
}

[[nodiscard]] Result<Message> decode_packet_in(const Bytes& message) {
    ofputil_packet_in in{};
    std::size_t total_length = 0;
    std::uint32_t buffer_id = 0;
    ofpbuf continuation{};
    const ofperr error = ofputil_decode_packet_in(header(message), true, nullptr, nullptr, &in,
                                                  &total_length, &buffer_id, &continuation);
    if (error != 0) {
        return Error(std::string("packet-in: ") + ofperr_to_string(error));
    }
    PacketIn reply;
    const auto* packet = static_cast<const std::uint8_t*>(in.packet);
    reply.packet.assign(packet, packet + in.packet_len);
    reply.in_port = in.flow_metadata.flow.in_port.ofp_port;
    reply.metadata = be64toh(in.flow_metadata.flow.metadata);
    reply.registers.assign(std::begin(in.flow_metadata.flow.regs),
                           std::end(in.flow_metadata.flow.regs));
    reply.userdata.assign(in.userdata, in.userdata + in.userdata_len);
    if (continuation.size != 0) {
        reply.resume = finish(ofputil_encode_resume(&in, &continuation, kOpenFlowProtocol), 0);
    }
    return Message(std::move(reply));
}

[[nodiscard]] Result<Message> decode_bundle_control(const Bytes& message, std::uint32_t xid) {
    ofputil_bundle_ctrl_msg control{};
    const ofperr error = ofputil_decode_bundle_ctrl(header(message), &control);
    if (error != 0) {
        return Error(std::string("bundle control: ") + ofperr_to_string(error));
    }
    if (control.type != OFPBCT_COMMIT_REPLY) {
        return Message(OtherMessage{});
    }
    return Message(BundleCommitted{xid, control.bundle_id});
}

}  // namespace

Bytes encode_bundle_open(std::uint32_t bundle, std::uint32_t xid) {
    return bundle_control(bundle, OFPBCT_OPEN_REQUEST, xid);
}

Bytes encode_flow_mod(FlowCommand command, const Flow& flow, std::uint32_t xid) {
    return flow_mod_message(flow, static_cast<std::uint8_t>(command), xid);
}

Bytes encode_bundle_flow_mod(std::uint32_t bundle, FlowCommand command, const Flow& flow,
                             std::uint32_t xid) {
    const Bytes inner = flow_mod_message(flow, static_cast<std::uint8_t>(command), xid);
    ofputil_bundle_add_msg add{};
    add.bundle_id = bundle;
    add.flags = kBundleFlags;
    add.msg = header(inner);
    return finish(ofputil_encode_bundle_add(kOpenFlowVersion, &add), xid);
}

Bytes encode_bundle_commit(std::uint32_t bundle, std::uint32_t xid) {
    return bundle_control(bundle, OFPBCT_COMMIT_REQUEST, xid);
}

Bytes encode_barrier(std::uint32_t xid) {
    return finish(ofputil_encode_barrier_request(kOpenFlowVersion), xid);
}

Bytes encode_meter_mod(MeterCommand command, const Meter& meter, std::uint32_t xid) {
    ofputil_meter_band band{};
    band.type = OFPMBT13_DROP;
    band.rate = meter.rate;
    band.burst_size = meter.burst;
    ofputil_meter_mod mod{};
    mod.command = static_cast<std::uint16_t>(command);
    mod.meter.meter_id = meter.id;
    const bool packets = meter.unit == MeterUnit::Packets;
    mod.meter.flags = static_cast<std::uint16_t>((packets ? OFPMF13_PKTPS : OFPMF13_KBPS) |
                                                 OFPMF13_BURST | OFPMF13_STATS);
    mod.meter.n_bands = command == MeterCommand::Delete ? 0 : 1;
    mod.meter.bands = &band;
    return finish(ofputil_encode_meter_mod(kOpenFlowVersion, &mod), xid);
}

Bytes encode_all_flows_request(std::uint32_t xid) { return encode_flows_request({}, xid); }

Bytes encode_flows_request(const FlowFilter& filter, std::uint32_t xid) {
    ofputil_flow_stats_request request{};
    match_init_catchall(&request.match);
    request.out_port = OFPP_ANY;
    request.out_group = OFPG_ANY;
    request.table_id = filter.table.value_or(OFPTT_ALL);
    if (filter.cookie) {
        request.cookie = htobe64(*filter.cookie);
        request.cookie_mask = htobe64(UINT64_MAX);
    }
    if (filter.reg) {
        match_set_reg(&request.match, filter.reg->first, filter.reg->second);
    }
    if (filter.metadata) {
        match_set_metadata(&request.match, htobe64(*filter.metadata));
    }
    if (filter.in_port) {
        match_set_in_port(&request.match, static_cast<ofp_port_t>(*filter.in_port));
    }
    return finish(ofputil_encode_flow_stats_request(&request, kOpenFlowProtocol), xid);
}

Bytes encode_all_meter_stats_request(std::uint32_t xid) {
    return finish(ofputil_encode_meter_request(kOpenFlowVersion, OFPUTIL_METER_STATS, OFPM13_ALL),
                  xid);
}

Bytes encode_all_meters_request(std::uint32_t xid) {
    return finish(ofputil_encode_meter_request(kOpenFlowVersion, OFPUTIL_METER_CONFIG, OFPM13_ALL),
                  xid);
}

Bytes encode_flush_ct_zone(std::uint16_t zone, std::uint32_t xid) {
    ofpbuf* message = ofpraw_alloc(OFPRAW_NXT_CT_FLUSH_ZONE, kOpenFlowVersion, 0);
    nx_zone_id body{};
    body.zone_id = htons(zone);
    ofpbuf_put(message, &body, sizeof body);
    return finish(message, xid);
}

std::vector<Bytes> encode_packet_in_setup(std::uint16_t controller_id) {
    std::vector<Bytes> messages;
    messages.push_back(
        finish(ofputil_encode_set_packet_in_format(kOpenFlowVersion, OFPUTIL_PACKET_IN_NXT2), 1));
    ofpbuf* message = ofpraw_alloc(OFPRAW_NXT_SET_CONTROLLER_ID, kOpenFlowVersion, 0);
    nx_controller_id body{};
    body.controller_id = htons(controller_id);
    ofpbuf_put(message, &body, sizeof body);
    messages.push_back(finish(message, 2));
    // A management connection gets no packet-in at all until it asks for a miss_send_len.
    ofputil_switch_config config{};
    config.frag = OFPUTIL_FRAG_NORMAL;
    config.invalid_ttl_to_controller = 0;
    config.miss_send_len = UINT16_MAX;
    messages.push_back(finish(ofputil_encode_set_config(&config, kOpenFlowVersion), 3));
    return messages;
}

Bytes encode_packet_out(std::span<const std::uint8_t> packet, std::uint32_t ofport) {
    ofpbuf actions;
    std::uint64_t stub[8];
    ofpbuf_use_stub(&actions, stub, sizeof stub);
    ofpact_put_OUTPUT(&actions)->port = static_cast<ofp_port_t>(ofport);
    ofputil_packet_out out{};
    out.packet = packet.data();
    out.packet_len = packet.size();
    out.buffer_id = UINT32_MAX;
    match_init_catchall(&out.flow_metadata);
    match_set_in_port(&out.flow_metadata, OFPP_CONTROLLER);
    out.ofpacts = static_cast<ofpact*>(actions.data);
    out.ofpacts_len = actions.size;
    Bytes message = finish(ofputil_encode_packet_out(&out, kOpenFlowProtocol), 0);
    ofpbuf_uninit(&actions);
    return message;
}

Result<Message> decode(const Bytes& message) {
    if (message.size() < sizeof(ofp_header) || ntohs(header(message)->length) != message.size()) {
        return Error("OpenFlow message: bad length");
    }
    ofptype type{};
    if (const ofperr error = ofptype_decode(&type, header(message)); error != 0) {
        return Error(std::string("OpenFlow message: ") + ofperr_to_string(error));
    }
    const std::uint32_t xid = ntohl(header(message)->xid);
    // The types of interest only: the enumeration has some hundred.
    if (type == OFPTYPE_ERROR) {
        const ofperr error = ofperr_decode_msg(header(message), nullptr);
        return Message(ErrorReply{xid, error != 0 ? ofperr_get_name(error) : "unknown error"});
    }
    if (type == OFPTYPE_BARRIER_REPLY) {
        return Message(BarrierReply{xid});
    }
    if (type == OFPTYPE_BUNDLE_CONTROL) {
        return decode_bundle_control(message, xid);
    }
    if (type == OFPTYPE_FLOW_STATS_REPLY) {
        return decode_flow_stats(message, xid);
    }
    if (type == OFPTYPE_METER_CONFIG_STATS_REPLY) {
        return decode_meter_configs(message, xid);
    }
    if (type == OFPTYPE_METER_STATS_REPLY) {
        return decode_meter_stats(message, xid);
    }
    if (type == OFPTYPE_PACKET_IN) {
        return decode_packet_in(message);
    }
    return Message(OtherMessage{});
}

}  // namespace hnv::ovs
