// As in vswitch_db.cpp: found and wanted are compared whenever either has changed, and what differs
// becomes one transaction. Nothing is looked at between the first edit and the commit but what the
// edit is about.
#include "ovs-integration/uplink_ports.h"

#include <algorithm>
#include <utility>

#include "ovs-integration/vswitch_session.h"

namespace hnv::ovs {
namespace {

constexpr const char* kBridgeMark = "hnv-uplink";
constexpr const char* kPortMark = "hnv-provider-address";
constexpr const char* kPatchMark = "hnv-vlan-uplink";
constexpr const char* kHwaddr = "hwaddr";
constexpr const char* kPatch = "patch";
constexpr const char* kPeer = "peer";
constexpr std::int64_t kNone = -1;

bool is_own(const ovsrec_bridge* bridge) {
    return hnv_bridge_external_id(bridge, kBridgeMark) != nullptr;
}

bool is_patch(const ovsrec_port* port) { return hnv_port_external_id(port, kPatchMark) != nullptr; }

bool is_own(const ovsrec_port* port) {
    return hnv_port_external_id(port, kPortMark) != nullptr || is_patch(port);
}

// The bridge's local port and its NIC bear the bridge's mark.
bool belongs_to_agent(const ovsrec_port* port) {
    return is_own(port) || hnv_port_external_id(port, kBridgeMark) != nullptr;
}

template <typename Visit>
void for_each_port(const ovsrec_bridge* bridge, Visit visit) {
    for (std::size_t i = 0; i < hnv_bridge_n_ports(bridge); ++i) {
        visit(hnv_bridge_port(bridge, i));
    }
}

template <typename Visit>
void for_each_bridge(const ovsrec_open_vswitch* root, Visit visit) {
    for (std::size_t i = 0; root != nullptr && i < hnv_root_n_bridges(root); ++i) {
        visit(hnv_root_bridge(root, i));
    }
}

const ovsrec_bridge* find_bridge(const ovsrec_open_vswitch* root, std::string_view name) {
    const ovsrec_bridge* found = nullptr;
    for_each_bridge(root, [&](const ovsrec_bridge* bridge) {
        if (name == hnv_bridge_name(bridge)) {
            found = bridge;
        }
    });
    return found;
}

const ovsrec_port* find_port(const ovsrec_bridge* bridge, std::string_view name) {
    const ovsrec_port* found = nullptr;
    for_each_port(bridge, [&](const ovsrec_port* port) {
        if (name == hnv_port_name(port)) {
            found = port;
        }
    });
    return found;
}

SwitchPort view_of(const ovsrec_port* port) {
    SwitchPort view;
    view.name = hnv_port_name(port);
    view.own = belongs_to_agent(port);
    view.uplink = text_of(hnv_port_external_id(port, kPatchMark));
    view.realised = true;
    for (std::size_t i = 0; i < hnv_port_n_interfaces(port); ++i) {
        const ovsrec_interface* interface = hnv_port_interface(port, i);
        if (i == 0) {
            view.type = hnv_interface_type(interface);
        }
        view.interfaces.emplace_back(hnv_interface_name(interface));
        view.realised = view.realised && hnv_interface_ofport(interface) > 0;
        if (view.error.empty()) {
            view.error = text_of(hnv_interface_error(interface));
        }
    }
    return view;
}

SwitchBridge view_of(const ovsrec_bridge* bridge) {
    SwitchBridge view;
    view.name = hnv_bridge_name(bridge);
    view.datapath_type = text_of(hnv_bridge_datapath_type(bridge));
    if (view.datapath_type.empty()) {
        view.datapath_type = "system";
    }
    view.own = is_own(bridge);
    for_each_port(bridge, [&](const ovsrec_port* port) { view.ports.push_back(view_of(port)); });
    std::ranges::sort(view.ports, {}, &SwitchPort::name);
    return view;
}

std::int64_t tag_of(const OwnPort& port) { return port.vlan ? *port.vlan : kNone; }
std::int64_t mtu_of(const OwnPort& port) { return port.mtu == 0 ? kNone : port.mtu; }

}  // namespace

struct UplinkPorts::Impl {
    explicit Impl(const std::string& remote) : session(remote, "provider addresses and uplinks") {}

    VswitchSession session;
    bool told = false;  // set_wanted() has been called.
    bool wishes_new = false;
    std::vector<OwnBridge> wanted_bridges;
    std::vector<OwnPort> wanted_ports;
    std::vector<OwnPatch> wanted_patches;

    bool known = false;
    std::vector<SwitchBridge> bridges;
    std::string problem;
    ovsdb_idl_txn* txn = nullptr;  // While one is being put together.

    bool take_view();
    void reconcile();
    void remove_stray(const ovsrec_open_vswitch* root);
    [[nodiscard]] bool wants_port(const ovsrec_bridge* bridge, const ovsrec_port* port) const;
    ovsrec_port* insert_uplink(const OwnBridge& bridge);
    void insert_bridge(const ovsrec_open_vswitch* root, const OwnBridge& bridge);
    ovsrec_port* insert_port(const OwnPort& port);
    ovsrec_port* insert_port(const OwnPatch& patch);
    void correct_bridge(const ovsrec_bridge* found, const OwnBridge& bridge);
    void correct_port(const ovsrec_port* found, const OwnPort& port);
    void correct_port(const ovsrec_port* found, const OwnPatch& patch);
    template <typename Wanted>
    void keep_port(const ovsrec_open_vswitch* root, const Wanted& port);
};

bool UplinkPorts::Impl::take_view() {
    if (!session.has_been_read()) {
        return false;
    }
    std::vector<SwitchBridge> next;
    for_each_bridge(session.root(),
                    [&](const ovsrec_bridge* bridge) { next.push_back(view_of(bridge)); });
    std::ranges::sort(next, {}, &SwitchBridge::name);
    const bool changed = !known || next != bridges || problem != session.error();
    known = true;
    bridges = std::move(next);
    problem = session.error();
    return changed;
}

// Puts together and sends what brings the database to what is wanted. When nothing differs, the
// transaction is empty and the IDL sends nothing.
void UplinkPorts::Impl::reconcile() {
    session.forget_refusal();
    wishes_new = false;
    const ovsrec_open_vswitch* root = session.root();
    if (root == nullptr) {
        return;
    }
    txn = session.begin();
    for (const OwnBridge& bridge : wanted_bridges) {
        const ovsrec_bridge* found = find_bridge(root, bridge.name);
        if (found == nullptr) {
            insert_bridge(root, bridge);
        } else if (is_own(found)) {
            correct_bridge(found, bridge);
        }
    }
    for (const OwnPort& port : wanted_ports) {
        keep_port(root, port);
    }
    for (const OwnPatch& patch : wanted_patches) {
        keep_port(root, patch);
    }
    remove_stray(root);
    txn = nullptr;
    session.commit();
}

template <typename Wanted>
void UplinkPorts::Impl::keep_port(const ovsrec_open_vswitch* root, const Wanted& port) {
    const ovsrec_bridge* bridge = find_bridge(root, port.bridge);
    const ovsrec_port* found = bridge == nullptr ? nullptr : find_port(bridge, port.name);
    if (found != nullptr && is_own(found)) {
        correct_port(found, port);
    } else if (bridge != nullptr && found == nullptr) {
        hnv_bridge_add_port(bridge, insert_port(port));
    }
}

bool UplinkPorts::Impl::wants_port(const ovsrec_bridge* bridge, const ovsrec_port* port) const {
    const auto is_it = [&](const auto& wanted) {
        return wanted.name == hnv_port_name(port) && wanted.bridge == hnv_bridge_name(bridge);
    };
    return is_patch(port) ? std::ranges::any_of(wanted_patches, is_it)
                          : std::ranges::any_of(wanted_ports, is_it);
}

void UplinkPorts::Impl::remove_stray(const ovsrec_open_vswitch* root) {
    for_each_bridge(root, [&](const ovsrec_bridge* bridge) {
        bool foreign = false;
        for_each_port(bridge, [&](const ovsrec_port* port) {
            if (is_own(port) && !wants_port(bridge, port)) {
                hnv_bridge_remove_port(bridge, port);
            }
            foreign = foreign || !belongs_to_agent(port);
        });
        const bool wanted =
            std::ranges::find(wanted_bridges, std::string_view(hnv_bridge_name(bridge)),
                              &OwnBridge::name) != wanted_bridges.end();
        if (is_own(bridge) && !wanted && !foreign) {
            hnv_root_remove_bridge(root, bridge);
        }
    });
}

ovsrec_port* UplinkPorts::Impl::insert_uplink(const OwnBridge& bridge) {
    return hnv_txn_insert_port(txn, bridge.nic.c_str(), "", nullptr, 0,
                               {kBridgeMark, bridge.nic.c_str()});
}

// With its ports: a bridge row that this very transaction inserts can't be looked up yet.
void UplinkPorts::Impl::insert_bridge(const ovsrec_open_vswitch* root, const OwnBridge& bridge) {
    const hnv_string_pair mark{kBridgeMark, bridge.nic.c_str()};
    std::vector<ovsrec_port*> ports{
        hnv_txn_insert_port(txn, bridge.name.c_str(), "internal", nullptr, 0, mark),
        insert_uplink(bridge)};
    for (const OwnPort& port : wanted_ports) {
        if (port.bridge == bridge.name) {
            ports.push_back(insert_port(port));
        }
    }
    for (const OwnPatch& patch : wanted_patches) {
        if (patch.bridge == bridge.name) {
            ports.push_back(insert_port(patch));
        }
    }
    const ovsrec_bridge* made =
        hnv_txn_insert_bridge(txn, root, bridge.name.c_str(), bridge.datapath_type.c_str(),
                              ports.data(), ports.size(), mark);
    hnv_bridge_set_other_config(made, {kHwaddr, bridge.hwaddr.to_string().c_str()});
}

ovsrec_port* UplinkPorts::Impl::insert_port(const OwnPort& port) {
    ovsrec_port* row = hnv_txn_insert_port(txn, port.name.c_str(), "internal", nullptr, 0,
                                           {kPortMark, port.address.c_str()});
    const ovsrec_interface* interface = hnv_port_interface(row, 0);
    hnv_port_set_tag(row, tag_of(port));
    hnv_interface_set_mac(interface, port.mac.to_string().c_str());
    hnv_interface_set_mtu_request(interface, mtu_of(port));
    return row;
}

// No tag, and no list of trunks: all VLANs pass.
ovsrec_port* UplinkPorts::Impl::insert_port(const OwnPatch& patch) {
    const hnv_string_pair peer{kPeer, patch.peer.c_str()};
    return hnv_txn_insert_port(txn, patch.name.c_str(), kPatch, &peer, 1,
                               {kPatchMark, patch.uplink.c_str()});
}

void UplinkPorts::Impl::correct_bridge(const ovsrec_bridge* found, const OwnBridge& bridge) {
    // The one that it has stays, also when the NIC is another by now.
    if (hnv_bridge_other_config(found, kHwaddr) == nullptr) {
        hnv_bridge_put_other_config(found, kHwaddr, bridge.hwaddr.to_string().c_str());
    }
    if (find_port(found, bridge.nic) == nullptr) {
        hnv_bridge_add_port(found, insert_uplink(bridge));
    }
}

void UplinkPorts::Impl::correct_port(const ovsrec_port* found, const OwnPort& port) {
    if (hnv_port_tag(found) != tag_of(port)) {
        hnv_port_set_tag(found, tag_of(port));
    }
    if (hnv_port_n_interfaces(found) == 0) {
        return;
    }
    const ovsrec_interface* interface = hnv_port_interface(found, 0);
    if (text_of(hnv_interface_mac(interface)) != port.mac.to_string()) {
        hnv_interface_set_mac(interface, port.mac.to_string().c_str());
    }
    if (hnv_interface_mtu_request(interface) != mtu_of(port)) {
        hnv_interface_set_mtu_request(interface, mtu_of(port));
    }
}

// A list of trunks that an operator gave it stays: it holds back VLANs on purpose.
void UplinkPorts::Impl::correct_port(const ovsrec_port* found, const OwnPatch& patch) {
    if (hnv_port_tag(found) != kNone) {
        hnv_port_set_tag(found, kNone);
    }
    if (hnv_port_n_interfaces(found) == 0) {
        return;
    }
    const ovsrec_interface* interface = hnv_port_interface(found, 0);
    if (text_of(hnv_interface_type(interface)) != kPatch) {
        hnv_interface_set_type(interface, kPatch);
    }
    if (text_of(hnv_interface_option(interface, kPeer)) != patch.peer) {
        hnv_interface_put_option(interface, kPeer, patch.peer.c_str());
    }
}

UplinkPorts::UplinkPorts(const std::string& remote) : impl_(std::make_unique<Impl>(remote)) {}

UplinkPorts::~UplinkPorts() = default;

void UplinkPorts::set_wanted(std::vector<OwnBridge> bridges, std::vector<OwnPort> ports,
                             std::vector<OwnPatch> patches) {
    if (impl_->told && bridges == impl_->wanted_bridges && ports == impl_->wanted_ports &&
        patches == impl_->wanted_patches) {
        return;
    }
    impl_->wanted_bridges = std::move(bridges);
    impl_->wanted_ports = std::move(ports);
    impl_->wanted_patches = std::move(patches);
    impl_->told = true;
    impl_->wishes_new = true;
    impl_->session.forget_refusal();
}

bool UplinkPorts::run() {
    const bool news = impl_->session.run();
    if (!news && !impl_->wishes_new) {
        return false;
    }
    if (impl_->told && impl_->session.may_edit()) {
        impl_->reconcile();
    }
    return impl_->take_view();
}

void UplinkPorts::wait() { impl_->session.wait(); }

bool UplinkPorts::known() const { return impl_->known; }

const std::vector<SwitchBridge>& UplinkPorts::bridges() const { return impl_->bridges; }

std::string UplinkPorts::problem() const { return impl_->problem; }

}  // namespace hnv::ovs
