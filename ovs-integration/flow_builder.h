// What the two halves of FlowBuilder share. Private to ovs-integration/.
#pragma once

#include <arpa/inet.h>
#include <endian.h>

#include <cstring>

#include "ovs-integration/flow.h"
#include "ovs-integration/flow_codec.h"
#include "ovs-integration/wire.h"

namespace hnv::ovs {

[[nodiscard]] inline eth_addr to_ovs(const MacAddress& mac) {
    eth_addr address{};
    std::memcpy(address.ea, mac.bytes.data(), mac.bytes.size());
    return address;
}

[[nodiscard]] inline in6_addr to_in6(const IpAddress& address) {
    in6_addr in6{};
    std::memcpy(&in6, address.bytes().data(), sizeof in6);
    return in6;
}

struct FlowBuilder::Impl {
    std::uint8_t table;
    std::uint16_t priority;
    ::match match;
    std::uint64_t stub[128];  // Room for the actions of nearly all flows, without malloc.
    ofpbuf actions;

    Impl(std::uint8_t flow_table, std::uint16_t flow_priority)
        : table(flow_table), priority(flow_priority) {
        match_init_catchall(&match);
        ofpbuf_use_stub(&actions, stub, sizeof stub);
    }
    ~Impl() { ofpbuf_uninit(&actions); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void move(mf_field_id from, unsigned from_bit, mf_field_id to, unsigned to_bit, unsigned bits) {
        ofpact_reg_move* action = ofpact_put_REG_MOVE(&actions);
        action->src.field = mf_from_id(from);
        action->src.ofs = from_bit;
        action->src.n_bits = bits;
        action->dst.field = mf_from_id(to);
        action->dst.ofs = to_bit;
        action->dst.n_bits = bits;
    }
    [[nodiscard]] bool is_ipv6() const { return match.flow.dl_type == htons(wire::kIpv6); }
    void set_field(mf_field_id field, const mf_value& value) {
        ofpact_put_set_field(&actions, mf_from_id(field), &value, nullptr);
    }
};

}  // namespace hnv::ovs
