// FlowBuilder's actions, and what it builds.
#include "ovs-integration/flow.h"

#include <algorithm>

#include "ovs-integration/flow_builder.h"

namespace hnv::ovs {

FlowBuilder::FlowBuilder(std::uint8_t table, std::uint16_t priority)
    : impl_(std::make_unique<Impl>(table, priority)) {}
FlowBuilder::~FlowBuilder() = default;
FlowBuilder::FlowBuilder(FlowBuilder&&) noexcept = default;
FlowBuilder& FlowBuilder::operator=(FlowBuilder&&) noexcept = default;

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

namespace {

void put_nat(const NatAction& nat, ofpbuf* actions) {
    ofpact_nat* action = ofpact_put_NAT(actions);
    if (nat.end == NatAction::End::AsKnown) {
        return;
    }
    action->flags = nat.end == NatAction::End::Source ? NX_NAT_F_SRC : NX_NAT_F_DST;
    const bool range = nat.last != nat.first;  // One address has no end, as ovs-ofctl writes it.
    if (nat.first.is_v4()) {
        action->range_af = AF_INET;
        action->range.addr.ipv4.min = htonl(nat.first.v4());
        action->range.addr.ipv4.max = range ? htonl(nat.last.v4()) : 0;
    } else {
        action->range_af = AF_INET6;
        action->range.addr.ipv6.min = to_in6(nat.first);
        action->range.addr.ipv6.max = range ? to_in6(nat.last) : in6_addr{};
    }
    if (nat.ports) {
        action->range.proto.min = nat.ports->first;
        action->range.proto.max = nat.ports->last == nat.ports->first ? 0 : nat.ports->last;
    }
}

}  // namespace

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
    if (action.mark || action.label || action.nat) {
        const std::uint32_t header = actions->size;
        ofpbuf_pull(actions, header);
        if (action.nat) {
            put_nat(*action.nat, actions);
        }
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
    controller->max_len = action.max_length;
    controller->controller_id = action.controller_id;
    controller->reason = OFPR_ACTION;
    controller->pause = action.pause;
    controller->meter_id = action.meter;
    controller->provider_meter_id = UINT32_MAX;
    controller->userdata_len = static_cast<std::uint16_t>(action.userdata.size());
    ofpbuf_put(&impl_->actions, action.userdata.data(), action.userdata.size());
    controller = static_cast<ofpact_controller*>(impl_->actions.header);
    ofpact_finish_CONTROLLER(&impl_->actions, &controller);
    return *this;
}

FlowBuilder& FlowBuilder::clone(const std::function<void()>& actions) {
    ofpbuf* all = &impl_->actions;
    // As in ct(): what comes before is hidden while the nested actions are added and measured.
    const std::uint32_t before = all->size;
    ofpbuf_pull(all, before);
    ofpact_put_CLONE(all);
    actions();
    all->header = all->data;
    auto* nest = static_cast<ofpact_nest*>(all->data);
    ofpact_finish_CLONE(all, &nest);
    ofpbuf_push_uninit(all, before);
    return *this;
}

FlowBuilder& FlowBuilder::meter(std::uint32_t id) {
    ofpact_meter* meter = ofpact_put_METER(&impl_->actions);
    meter->meter_id = id;
    meter->provider_meter_id = UINT32_MAX;
    return *this;
}

FlowBuilder& FlowBuilder::conjunction(std::uint32_t id, std::uint8_t clause, std::uint8_t clauses) {
    ofpact_conjunction* action = ofpact_put_CONJUNCTION(&impl_->actions);
    action->id = id;
    action->clause = static_cast<std::uint8_t>(clause - 1);
    action->n_clauses = clauses;
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
