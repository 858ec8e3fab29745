#include "ovs-integration/flow.h"

#include <arpa/inet.h>
#include <endian.h>

#include <algorithm>

#include "ovs-integration/flow_codec.h"
#include "ovs-integration/wire.h"

namespace hnv::ovs {

namespace {

[[nodiscard]] eth_addr to_ovs(const MacAddress& mac) {
    eth_addr address{};
    std::memcpy(address.ea, mac.bytes.data(), mac.bytes.size());
    return address;
}

[[nodiscard]] in6_addr to_in6(const IpAddress& address) {
    in6_addr in6{};
    std::memcpy(&in6, address.bytes().data(), sizeof in6);
    return in6;
}

[[nodiscard]] ovs_be32 v4_mask(unsigned length) {
    return htonl(length == 0 ? 0 : ~0U << (32 - length));
}

[[nodiscard]] in6_addr v6_mask(unsigned length) {
    in6_addr mask{};
    for (unsigned bit = 0; bit < length; ++bit) {
        mask.s6_addr[bit / 8] = static_cast<std::uint8_t>(mask.s6_addr[bit / 8] | 0x80U >> bit % 8);
    }
    return mask;
}

}  // namespace

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

FlowBuilder::FlowBuilder(std::uint8_t table, std::uint16_t priority)
    : impl_(std::make_unique<Impl>(table, priority)) {}
FlowBuilder::~FlowBuilder() = default;
FlowBuilder::FlowBuilder(FlowBuilder&&) noexcept = default;
FlowBuilder& FlowBuilder::operator=(FlowBuilder&&) noexcept = default;

FlowBuilder& FlowBuilder::match_in_port(std::uint32_t ofport) {
    match_set_in_port(&impl_->match, static_cast<ofp_port_t>(ofport));
    return *this;
}

FlowBuilder& FlowBuilder::match_reg(unsigned reg, std::uint32_t value, std::uint32_t mask) {
    match_set_reg_masked(&impl_->match, reg, value, mask);
    return *this;
}

FlowBuilder& FlowBuilder::match_metadata(std::uint64_t value) {
    match_set_metadata(&impl_->match, htobe64(value));
    return *this;
}

FlowBuilder& FlowBuilder::match_tun_id(std::uint64_t value, std::uint64_t mask) {
    match_set_tun_id_masked(&impl_->match, htobe64(value), htobe64(mask));
    return *this;
}

FlowBuilder& FlowBuilder::match_tun_src(const IpAddress& address) {
    if (address.is_v4()) {
        match_set_tun_src(&impl_->match, htonl(address.v4()));
    } else {
        const in6_addr in6 = to_in6(address);
        match_set_tun_ipv6_src(&impl_->match, &in6);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_tun_dst(const IpAddress& address) {
    if (address.is_v4()) {
        match_set_tun_dst(&impl_->match, htonl(address.v4()));
    } else {
        const in6_addr in6 = to_in6(address);
        match_set_tun_ipv6_dst(&impl_->match, &in6);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_eth_src(const MacAddress& mac) {
    match_set_dl_src(&impl_->match, to_ovs(mac));
    return *this;
}

FlowBuilder& FlowBuilder::match_eth_dst(const MacAddress& mac) {
    match_set_dl_dst(&impl_->match, to_ovs(mac));
    return *this;
}

FlowBuilder& FlowBuilder::match_eth_dst_masked(const MacAddress& mac, const MacAddress& mask) {
    match_set_dl_dst_masked(&impl_->match, to_ovs(mac), to_ovs(mask));
    return *this;
}

FlowBuilder& FlowBuilder::match_untagged() {
    match_set_dl_tci(&impl_->match, htons(0));
    return *this;
}

FlowBuilder& FlowBuilder::match_vlan(std::uint16_t vlan) {
    match_set_dl_vlan(&impl_->match, htons(vlan), 0);
    return *this;
}

FlowBuilder& FlowBuilder::match_eth_type(std::uint16_t type) {
    match_set_dl_type(&impl_->match, htons(type));
    return *this;
}

FlowBuilder& FlowBuilder::match_ip_proto(std::uint8_t protocol) {
    match_set_nw_proto(&impl_->match, protocol);
    return *this;
}

FlowBuilder& FlowBuilder::match_ip_src(const IpPrefix& prefix) {
    if (prefix.address.is_v4()) {
        match_eth_type(wire::kIpv4);
        match_set_nw_src_masked(&impl_->match, htonl(prefix.address.v4()), v4_mask(prefix.length));
    } else {
        match_eth_type(wire::kIpv6);
        const in6_addr address = to_in6(prefix.address);
        const in6_addr mask = v6_mask(prefix.length);
        match_set_ipv6_src_masked(&impl_->match, &address, &mask);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_ip_dst(const IpPrefix& prefix) {
    if (prefix.address.is_v4()) {
        match_eth_type(wire::kIpv4);
        match_set_nw_dst_masked(&impl_->match, htonl(prefix.address.v4()), v4_mask(prefix.length));
    } else {
        match_eth_type(wire::kIpv6);
        const in6_addr address = to_in6(prefix.address);
        const in6_addr mask = v6_mask(prefix.length);
        match_set_ipv6_dst_masked(&impl_->match, &address, &mask);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_tp_src(std::uint16_t port, std::uint16_t mask) {
    match_set_tp_src_masked(&impl_->match, htons(port), htons(mask));
    return *this;
}

FlowBuilder& FlowBuilder::match_tp_dst(std::uint16_t port, std::uint16_t mask) {
    match_set_tp_dst_masked(&impl_->match, htons(port), htons(mask));
    return *this;
}

FlowBuilder& FlowBuilder::match_icmp_type(std::uint8_t type) {
    match_set_icmp_type(&impl_->match, type);
    return *this;
}

FlowBuilder& FlowBuilder::match_nd_target(const IpPrefix& target) {
    const in6_addr address = to_in6(target.address);
    const in6_addr mask = v6_mask(target.length);
    match_set_nd_target_masked(&impl_->match, &address, &mask);
    return *this;
}

FlowBuilder& FlowBuilder::match_ttl(std::uint8_t ttl) {
    match_set_nw_ttl(&impl_->match, ttl);
    return *this;
}

FlowBuilder& FlowBuilder::match_fragment(Fragment fragment) {
    constexpr std::uint8_t kAny = FLOW_NW_FRAG_ANY;
    constexpr std::uint8_t kBoth = FLOW_NW_FRAG_ANY | FLOW_NW_FRAG_LATER;
    switch (fragment) {
        case Fragment::No:
            match_set_nw_frag_masked(&impl_->match, 0, kAny);
            break;
        case Fragment::First:
            match_set_nw_frag_masked(&impl_->match, kAny, kBoth);
            break;
        case Fragment::Later:
            match_set_nw_frag_masked(&impl_->match, kBoth, kBoth);
            break;
        case Fragment::NotLater:
            match_set_nw_frag_masked(&impl_->match, 0, FLOW_NW_FRAG_LATER);
            break;
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_arp_op(std::uint16_t operation) {
    match_set_nw_proto(&impl_->match, static_cast<std::uint8_t>(operation));
    return *this;
}

FlowBuilder& FlowBuilder::match_arp_spa(const IpAddress& address) {
    match_set_nw_src(&impl_->match, htonl(address.v4()));
    return *this;
}

FlowBuilder& FlowBuilder::match_arp_sha(const MacAddress& mac) {
    match_set_arp_sha(&impl_->match, to_ovs(mac));
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_state(std::uint32_t set, std::uint32_t mask) {
    match_set_ct_state_masked(&impl_->match, set, mask);
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_mark(std::uint32_t mark) {
    match_set_ct_mark(&impl_->match, mark);
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_label(std::uint64_t low) {
    ovs_u128 label{};
    label.u64.lo = low;
    match_set_ct_label(&impl_->match, label);
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_ip_proto(std::uint8_t protocol) {
    match_set_ct_nw_proto(&impl_->match, protocol);
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_ip_src(const IpPrefix& prefix) {
    if (prefix.address.is_v4()) {
        match_set_ct_nw_src_masked(&impl_->match, htonl(prefix.address.v4()),
                                   v4_mask(prefix.length));
    } else {
        const in6_addr address = to_in6(prefix.address);
        const in6_addr mask = v6_mask(prefix.length);
        match_set_ct_ipv6_src_masked(&impl_->match, &address, &mask);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_ip_dst(const IpPrefix& prefix) {
    if (prefix.address.is_v4()) {
        match_set_ct_nw_dst_masked(&impl_->match, htonl(prefix.address.v4()),
                                   v4_mask(prefix.length));
    } else {
        const in6_addr address = to_in6(prefix.address);
        const in6_addr mask = v6_mask(prefix.length);
        match_set_ct_ipv6_dst_masked(&impl_->match, &address, &mask);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_tp_src(std::uint16_t port, std::uint16_t mask) {
    match_set_ct_tp_src_masked(&impl_->match, htons(port), htons(mask));
    return *this;
}

FlowBuilder& FlowBuilder::match_ct_tp_dst(std::uint16_t port, std::uint16_t mask) {
    match_set_ct_tp_dst_masked(&impl_->match, htons(port), htons(mask));
    return *this;
}

FlowBuilder& FlowBuilder::set_reg(unsigned reg, std::uint32_t value) {
    mf_value field{};
    field.be32 = htonl(value);
    impl_->set_field(static_cast<mf_field_id>(MFF_REG0 + reg), field);
    return *this;
}

FlowBuilder& FlowBuilder::set_metadata(std::uint64_t value) {
    mf_value field{};
    field.be64 = htobe64(value);
    impl_->set_field(MFF_METADATA, field);
    return *this;
}

FlowBuilder& FlowBuilder::set_tun_dst(const IpAddress& address) {
    mf_value field{};
    if (address.is_v4()) {
        field.be32 = htonl(address.v4());
        impl_->set_field(MFF_TUN_DST, field);
    } else {
        field.ipv6 = to_in6(address);
        impl_->set_field(MFF_TUN_IPV6_DST, field);
    }
    return *this;
}

FlowBuilder& FlowBuilder::clear_tun_id() {
    impl_->set_field(MFF_TUN_ID, mf_value{});
    return *this;
}

FlowBuilder& FlowBuilder::set_eth_src(const MacAddress& mac) {
    mf_value field{};
    field.mac = to_ovs(mac);
    impl_->set_field(MFF_ETH_SRC, field);
    return *this;
}

FlowBuilder& FlowBuilder::set_eth_dst(const MacAddress& mac) {
    mf_value field{};
    field.mac = to_ovs(mac);
    impl_->set_field(MFF_ETH_DST, field);
    return *this;
}

FlowBuilder& FlowBuilder::move_reg_to_tun_id(unsigned reg, unsigned offset) {
    impl_->move(static_cast<mf_field_id>(MFF_REG0 + reg), 0, MFF_TUN_ID, offset, 24);
    return *this;
}

FlowBuilder& FlowBuilder::dec_ttl() {
    ofpact_cnt_ids* ids = ofpact_put_DEC_TTL(&impl_->actions);
    const std::uint16_t controller = 0;
    ofpbuf_put(&impl_->actions, &controller, sizeof controller);
    ids = static_cast<ofpact_cnt_ids*>(impl_->actions.header);
    ids->n_controllers = 1;
    ofpact_finish_DEC_TTL(&impl_->actions, &ids);
    return *this;
}

FlowBuilder& FlowBuilder::set_ttl(std::uint8_t ttl) {
    mf_value field{};
    field.u8 = ttl;
    impl_->set_field(MFF_IP_TTL, field);
    return *this;
}

FlowBuilder& FlowBuilder::set_ip_src(const IpAddress& address) {
    mf_value field{};
    if (address.is_v4()) {
        field.be32 = htonl(address.v4());
        impl_->set_field(MFF_IPV4_SRC, field);
    } else {
        field.ipv6 = to_in6(address);
        impl_->set_field(MFF_IPV6_SRC, field);
    }
    return *this;
}

FlowBuilder& FlowBuilder::set_icmp_type(std::uint8_t type) {
    mf_value field{};
    field.u8 = type;
    impl_->set_field(impl_->is_ipv6() ? MFF_ICMPV6_TYPE : MFF_ICMPV4_TYPE, field);
    return *this;
}

FlowBuilder& FlowBuilder::move_eth_src_to_dst() {
    impl_->move(MFF_ETH_SRC, 0, MFF_ETH_DST, 0, 48);
    return *this;
}

FlowBuilder& FlowBuilder::move_ip_src_to_dst() {
    if (impl_->is_ipv6()) {
        impl_->move(MFF_IPV6_SRC, 0, MFF_IPV6_DST, 0, 128);
    } else {
        impl_->move(MFF_IPV4_SRC, 0, MFF_IPV4_DST, 0, 32);
    }
    return *this;
}

FlowBuilder& FlowBuilder::move_reg_to_vlan_tci(unsigned reg) {
    impl_->move(static_cast<mf_field_id>(MFF_REG0 + reg), 0, MFF_VLAN_TCI, 0, 16);
    return *this;
}

FlowBuilder& FlowBuilder::strip_vlan() {
    ofpact_put_STRIP_VLAN(&impl_->actions);
    return *this;
}

FlowBuilder& FlowBuilder::clear_vlan_tci() {
    impl_->set_field(MFF_VLAN_TCI, mf_value{});
    return *this;
}

FlowBuilder& FlowBuilder::move_reg_to_pkt_mark(unsigned reg) {
    impl_->move(static_cast<mf_field_id>(MFF_REG0 + reg), 0, MFF_PKT_MARK, 0, 32);
    return *this;
}

FlowBuilder& FlowBuilder::clear_in_port() {
    mf_value field{};
    field.be16 = htons(static_cast<std::uint16_t>(OFPP_NONE));
    impl_->set_field(MFF_IN_PORT, field);
    return *this;
}

FlowBuilder& FlowBuilder::check_longer(std::uint16_t bytes, unsigned reg, unsigned bit) {
    ofpact_check_pkt_larger* check = ofpact_put_CHECK_PKT_LARGER(&impl_->actions);
    check->pkt_len = bytes;
    check->dst.field = mf_from_id(static_cast<mf_field_id>(MFF_REG0 + reg));
    check->dst.ofs = bit;
    check->dst.n_bits = 1;
    return *this;
}

FlowBuilder& FlowBuilder::choose(unsigned reg, std::uint16_t count) {
    ofpact_multipath* multipath = ofpact_put_MULTIPATH(&impl_->actions);
    multipath->fields = NX_HASH_FIELDS_SYMMETRIC_L3L4_UDP;
    multipath->basis = 0;
    multipath->algorithm = NX_MP_ALG_HRW;
    multipath->max_link = static_cast<std::uint16_t>(count - 1);
    multipath->arg = 0;
    multipath->dst.field = mf_from_id(static_cast<mf_field_id>(MFF_REG0 + reg));
    multipath->dst.ofs = 0;
    multipath->dst.n_bits = 16;
    return *this;
}

FlowBuilder& FlowBuilder::output_in_port() {
    ofpact_put_OUTPUT(&impl_->actions)->port = OFPP_IN_PORT;
    return *this;
}

FlowBuilder& FlowBuilder::output(std::uint32_t ofport) {
    ofpact_put_OUTPUT(&impl_->actions)->port = static_cast<ofp_port_t>(ofport);
    return *this;
}

FlowBuilder& FlowBuilder::output_reg(unsigned reg) {
    ofpact_output_reg* output = ofpact_put_OUTPUT_REG(&impl_->actions);
    output->max_len = UINT16_MAX;
    output->src.field = mf_from_id(static_cast<mf_field_id>(MFF_REG0 + reg));
    output->src.ofs = 0;
    output->src.n_bits = 16;
    return *this;
}

FlowBuilder& FlowBuilder::resubmit(std::uint8_t table) {
    ofpact_resubmit* resubmit = ofpact_put_RESUBMIT(&impl_->actions);
    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = table;
    resubmit->with_ct_orig = false;
    return *this;
}

FlowBuilder& FlowBuilder::ct(const CtAction& action) {
    ofpbuf* actions = &impl_->actions;
    // What comes before is hidden, so that the actions nested in ct() can be measured.
    const std::uint32_t before = actions->size;
    ofpbuf_pull(actions, before);
    ofpact_conntrack* ct = ofpact_put_CT(actions);
    ct->flags = action.commit ? NX_CT_F_COMMIT : 0;
    ct->zone_imm = action.zone;
    ct->zone_src.field = nullptr;
    ct->alg = 0;
    ct->recirc_table = action.next_table.value_or(NX_CT_RECIRC_NONE);
    if (action.mark || action.label) {
        const std::uint32_t header = actions->size;
        ofpbuf_pull(actions, header);
        if (action.mark) {
            mf_value mark{};
            mark.be32 = htonl(*action.mark);
            impl_->set_field(MFF_CT_MARK, mark);
        }
        if (action.label) {
            mf_value label{};
            label.be128.be64.lo = htobe64(*action.label);
            impl_->set_field(MFF_CT_LABEL, label);
        }
        actions->header = ofpbuf_push_uninit(actions, header);
        ct = static_cast<ofpact_conntrack*>(actions->header);
    }
    ofpact_finish_CT(actions, &ct);
    ofpbuf_push_uninit(actions, before);
    return *this;
}

FlowBuilder& FlowBuilder::controller(const ControllerAction& action) {
    ofpact_controller* controller = ofpact_put_CONTROLLER(&impl_->actions);
    controller->max_len = UINT16_MAX;
    controller->controller_id = action.controller_id;
    controller->reason = OFPR_ACTION;
    controller->pause = false;
    controller->meter_id = action.meter;
    controller->provider_meter_id = UINT32_MAX;
    controller->userdata_len = static_cast<std::uint16_t>(action.userdata.size());
    ofpbuf_put(&impl_->actions, action.userdata.data(), action.userdata.size());
    controller = static_cast<ofpact_controller*>(impl_->actions.header);
    ofpact_finish_CONTROLLER(&impl_->actions, &controller);
    return *this;
}

FlowBuilder& FlowBuilder::goto_table(std::uint8_t table) {
    ofpact_put_GOTO_TABLE(&impl_->actions)->table_id = table;
    return *this;
}

Flow FlowBuilder::build(std::uint64_t cookie) {
    return encode_flow(impl_->match, impl_->table, impl_->priority, cookie,
                       static_cast<const ofpact*>(impl_->actions.data), impl_->actions.size);
}

}  // namespace hnv::ovs
