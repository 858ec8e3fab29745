// FlowBuilder's matches.
#include "ovs-integration/flow_builder.h"

namespace hnv::ovs {

namespace {

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

FlowBuilder& FlowBuilder::match_eth_src_masked(const MacAddress& mac, const MacAddress& mask) {
    match_set_dl_src_masked(&impl_->match, to_ovs(mac), to_ovs(mask));
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

FlowBuilder& FlowBuilder::match_icmp_code(std::uint8_t code) {
    match_set_icmp_code(&impl_->match, code);
    return *this;
}

FlowBuilder& FlowBuilder::match_tcp_flags(std::uint16_t value, std::uint16_t mask) {
    match_set_tcp_flags_masked(&impl_->match, htons(value), htons(mask));
    return *this;
}

FlowBuilder& FlowBuilder::match_ip_src_masked(const IpAddress& address, const IpAddress& mask) {
    if (address.is_v4()) {
        match_eth_type(wire::kIpv4);
        match_set_nw_src_masked(&impl_->match, htonl(address.v4()), htonl(mask.v4()));
    } else {
        match_eth_type(wire::kIpv6);
        const in6_addr value = to_in6(address);
        const in6_addr bits = to_in6(mask);
        match_set_ipv6_src_masked(&impl_->match, &value, &bits);
    }
    return *this;
}

FlowBuilder& FlowBuilder::match_ip_dst_masked(const IpAddress& address, const IpAddress& mask) {
    if (address.is_v4()) {
        match_eth_type(wire::kIpv4);
        match_set_nw_dst_masked(&impl_->match, htonl(address.v4()), htonl(mask.v4()));
    } else {
        match_eth_type(wire::kIpv6);
        const in6_addr value = to_in6(address);
        const in6_addr bits = to_in6(mask);
        match_set_ipv6_dst_masked(&impl_->match, &value, &bits);
    }
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

FlowBuilder& FlowBuilder::match_arp_tpa(const IpPrefix& target) {
    const std::uint32_t mask = target.length == 0 ? 0 : 0xffffffffU << (32 - target.length);
    match_set_nw_dst_masked(&impl_->match, htonl(target.address.v4()), htonl(mask));
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

FlowBuilder& FlowBuilder::match_ct_zone(std::uint16_t zone) {
    match_set_ct_zone(&impl_->match, zone);
    return *this;
}

FlowBuilder& FlowBuilder::match_conj_id(std::uint32_t id) {
    match_set_conj_id(&impl_->match, id);
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

}  // namespace hnv::ovs
