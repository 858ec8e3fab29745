#include "ovs-integration/flow_codec.h"

#include <arpa/inet.h>
#include <endian.h>

namespace hnv::ovs {

namespace {

// struct ofp_flow_mod of OpenFlow 1.4 (ONF TS-012 7.3.4.2): offsets into the message.
constexpr std::size_t kMatchOffset = 48;
constexpr std::size_t kMatchHeader = 4;  // ofp_match: type, length.

void put_u8(Bytes& out, std::uint8_t value) { out.push_back(static_cast<char>(value)); }
void put_be16(Bytes& out, std::uint16_t value) {
    const std::uint16_t be = htons(value);
    out.append(reinterpret_cast<const char*>(&be), sizeof be);
}
void put_be32(Bytes& out, std::uint32_t value) {
    const std::uint32_t be = htonl(value);
    out.append(reinterpret_cast<const char*>(&be), sizeof be);
}
void put_be64(Bytes& out, std::uint64_t value) {
    const std::uint64_t be = htobe64(value);
    out.append(reinterpret_cast<const char*>(&be), sizeof be);
}

}  // namespace

Bytes Flow::key() const {
    Bytes key;
    key.reserve(3 + match.size());
    put_u8(key, table);
    put_be16(key, priority);
    key += match;
    return key;
}

Flow encode_flow(const ::match& match, std::uint8_t table, std::uint16_t priority,
                 std::uint64_t cookie, const ofpact* actions, std::size_t actions_length) {
    // The match and the instructions are cut out of a whole flow_mod: libopenvswitch has no
    // narrower encoder that also splits actions into instructions.
    ofputil_flow_mod mod{};
    minimatch_init(&mod.match, &match);
    mod.priority = priority;
    mod.table_id = table;
    mod.command = OFPFC_ADD;
    mod.buffer_id = UINT32_MAX;
    mod.out_port = OFPP_ANY;
    mod.out_group = OFPG_ANY;
    mod.ofpacts = const_cast<ofpact*>(actions);
    mod.ofpacts_len = actions_length;
    const OfpbufPtr message(ofputil_encode_flow_mod(&mod, kOpenFlowProtocol));
    minimatch_destroy(&mod.match);
    ofpmsg_update_length(message.get());

    const char* data = static_cast<const char*>(message->data);
    std::uint16_t match_length = 0;
    std::memcpy(&match_length, data + kMatchOffset + 2, sizeof match_length);
    match_length = ntohs(match_length);
    const std::size_t instructions = kMatchOffset + ROUND_UP(match_length, 8);
    Flow flow;
    flow.table = table;
    flow.priority = priority;
    flow.cookie = cookie;
    flow.match.assign(data + kMatchOffset + kMatchHeader, match_length - kMatchHeader);
    flow.instructions.assign(data + instructions, message->size - instructions);
    return flow;
}

Bytes flow_mod_message(const Flow& flow, std::uint8_t command, std::uint32_t xid) {
    const std::size_t match_length = kMatchHeader + flow.match.size();
    const std::size_t padded = ROUND_UP(match_length, 8);
    const std::size_t length = kMatchOffset + padded + flow.instructions.size();
    Bytes out;
    out.reserve(length);
    put_u8(out, kOpenFlowVersion);
    put_u8(out, 14);  // OFPT_FLOW_MOD
    put_be16(out, static_cast<std::uint16_t>(length));
    put_be32(out, xid);
    put_be64(out, flow.cookie);
    put_be64(out, 0);  // cookie_mask
    put_u8(out, flow.table);
    put_u8(out, command);
    put_be16(out, 0);  // idle_timeout
    put_be16(out, 0);  // hard_timeout
    put_be16(out, flow.priority);
    put_be32(out, 0xffffffffU);  // buffer_id: OFP_NO_BUFFER
    put_be32(out, 0xffffffffU);  // out_port: OFPP_ANY
    put_be32(out, 0xffffffffU);  // out_group: OFPG_ANY
    put_be16(out, 0);            // flags
    put_be16(out, 0);            // importance
    put_be16(out, 1);            // OFPMT_OXM
    put_be16(out, static_cast<std::uint16_t>(match_length));
    out += flow.match;
    out.append(padded - match_length, '\0');
    out += flow.instructions;
    return out;
}

std::string to_text(const Flow& flow) {
    const Bytes message = flow_mod_message(flow, OFPFC_ADD, 0);
    ofpbuf actions;
    ofpbuf_init(&actions, 256);
    ofputil_flow_mod mod{};
    std::string text;
    const ofperr error =
        ofputil_decode_flow_mod(&mod, reinterpret_cast<const ofp_header*>(message.data()),
                                kOpenFlowProtocol, nullptr, nullptr, &actions, OFPP_MAX, 255);
    if (error != 0) {
        const std::string why = std::string("undecodable: ") + ofperr_to_string(error);
        Flow bare = flow;  // What it matches can be told even when what it does can't.
        bare.instructions.clear();
        text = flow.instructions.empty() ? why : to_text(bare) + " (" + why + ")";
    } else {
        ds out = DS_EMPTY_INITIALIZER;
        ds_put_format(&out, "table=%u, ", static_cast<unsigned>(flow.table));
        ::match match;
        minimatch_expand(&mod.match, &match);
        match_format(&match, nullptr, &out, flow.priority);
        ds_put_cstr(&out, " actions=");
        ofpact_format_params params{};
        params.s = &out;
        ofpacts_format(mod.ofpacts, mod.ofpacts_len, &params);
        text = ds_cstr(&out);
        ds_destroy(&out);
        minimatch_destroy(&mod.match);
    }
    ofpbuf_uninit(&actions);
    return text;
}

}  // namespace hnv::ovs
