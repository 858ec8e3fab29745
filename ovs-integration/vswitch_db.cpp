// Desired and found are compared each time the database's replica changes; what differs becomes one
// transaction. Invariants:
//  - at most one transaction is outstanding, and none is begun while one is;
//  - the view is never taken while one is being put together, so it shows committed contents alone;
//  - losing the database leaves the view as it was: what the switch forwards has not changed
//  either.
#include "ovs-integration/vswitch_db.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "ovs-integration/event_loop.h"
#include "ovs-integration/vswitch_session.h"

namespace hnv::ovs {
namespace {

constexpr std::int64_t kLocalPort = 65534;     // OFPP_LOCAL, the bridge's own interface.
constexpr std::int64_t kHighestPort = 0xfeff;  // Above: reserved (OpenFlow 1.0's OFPP_MAX).
constexpr hnv_string_pair kMark{"hnv-agent", "true"};
constexpr hnv_string_pair kNoInBand{"disable-in-band", "true"};
constexpr const char* kFailMode = "secure";
// 1.4 for bundles; the others so that ovs-ofctl and its like work without flags.
constexpr std::array<const char*, 4> kProtocols{"OpenFlow10", "OpenFlow13", "OpenFlow14",
                                                "OpenFlow15"};
constexpr std::string_view kAuto = "auto";
constexpr std::string_view kSystem = "system";
constexpr std::string_view kNetdev = "netdev";

// Calls visit(interface) for each interface of the bridge.
template <typename Visit>
void for_each_interface(const ovsrec_bridge* bridge, Visit visit) {
    for (std::size_t p = 0; p < hnv_bridge_n_ports(bridge); ++p) {
        const ovsrec_port* port = hnv_bridge_port(bridge, p);
        for (std::size_t i = 0; i < hnv_port_n_interfaces(port); ++i) {
            visit(hnv_port_interface(port, i));
        }
    }
}

const ovsrec_interface* find_interface(const ovsrec_bridge* bridge, std::string_view name) {
    const ovsrec_interface* found = nullptr;
    for_each_interface(bridge, [&](const ovsrec_interface* interface) {
        if (name == hnv_interface_name(interface)) {
            found = interface;
        }
    });
    return found;
}

const ovsrec_bridge* find_bridge(const ovsrec_open_vswitch* root, std::string_view name) {
    for (std::size_t i = 0; root != nullptr && i < hnv_root_n_bridges(root); ++i) {
        const ovsrec_bridge* bridge = hnv_root_bridge(root, i);
        if (name == hnv_bridge_name(bridge)) {
            return bridge;
        }
    }
    return nullptr;
}

bool offers_datapath_type(const ovsrec_open_vswitch* root, std::string_view type) {
    for (std::size_t i = 0; i < hnv_root_n_datapath_types(root); ++i) {
        if (type == hnv_root_datapath_type(root, i)) {
            return true;
        }
    }
    return false;
}

bool is_switch_port(std::int64_t ofport) { return ofport >= 1 && ofport <= kHighestPort; }

InterfaceFacts facts_of(const ovsrec_interface* interface) {
    InterfaceFacts facts;
    facts.name = hnv_interface_name(interface);
    facts.ofport = static_cast<std::uint32_t>(hnv_interface_ofport(interface));
    facts.type = hnv_interface_type(interface);
    facts.iface_id = text_of(hnv_interface_external_id(interface, "iface-id"));
    facts.attached_mac = text_of(hnv_interface_external_id(interface, "attached-mac"));
    facts.vm_name = text_of(hnv_interface_external_id(interface, "vm-name"));
    facts.link_up = hnv_interface_link_is_up(interface);
    return facts;
}

std::vector<hnv_string_pair> pairs_of(
    const std::vector<std::pair<std::string, std::string>>& options) {
    std::vector<hnv_string_pair> pairs;
    pairs.reserve(options.size());
    for (const auto& [key, value] : options) {
        pairs.push_back({key.c_str(), value.c_str()});
    }
    return pairs;
}

bool is_bfd_port(const ovsrec_port* port) {
    return std::string_view(hnv_port_name(port)).starts_with(kBfdPortPrefix) &&
           text_of(hnv_port_external_id(port, kMark.key)) == kMark.value &&
           hnv_port_n_interfaces(port) == 1;
}

BfdPortFacts bfd_facts_of(const ovsrec_interface* interface) {
    BfdPortFacts facts;
    const std::int64_t ofport = hnv_interface_ofport(interface);
    facts.ofport = is_switch_port(ofport) ? static_cast<std::uint32_t>(ofport) : 0;
    facts.problem = text_of(hnv_interface_error(interface));
    if (ofport < 0 && facts.problem.empty()) {
        facts.problem = "ovs-vswitchd could not make it";
    }
    hnv_interface_for_each_bfd_status(
        interface,
        [](void* status, const char* key, const char* value) {
            static_cast<std::map<std::string, std::string>*>(status)->emplace(key, value);
        },
        &facts.status);
    return facts;
}

// What the agent sees of the database, as values.
struct View {
    bool connected = false;  // And read at least once.
    bool bridge_ready = false;
    std::string datapath_type;
    std::string problem;
    std::vector<InterfaceFacts> interfaces;
    std::map<std::string, BfdPortFacts> bfd_ports;

    bool operator==(const View&) const = default;
};

}  // namespace

struct VswitchDb::Impl {
    Impl(const std::string& remote, BridgeConfig wanted)
        : bridge(std::move(wanted)), session(remote, "configure bridge " + bridge.name) {}

    BridgeConfig bridge;
    // The bridge's own port first, then the tunnels: all are kept alike.
    std::vector<TunnelPortConfig> ports;
    std::optional<BfdPortsConfig> bfd_ports;  // nullopt: not told yet.
    bool wish_changed = false;
    VswitchSession session;
    ovsdb_idl_txn* txn = nullptr;  // While one is being put together.
    View view;

    bool run();
    [[nodiscard]] View take_view() const;
    [[nodiscard]] std::string find_problem(const ovsrec_open_vswitch* root,
                                           const ovsrec_bridge* found) const;
    [[nodiscard]] std::optional<std::string> wanted_datapath_type(
        const ovsrec_open_vswitch* root) const;
    void reconcile();
    void insert_bridge(const ovsrec_open_vswitch* root, const std::string& type);
    void correct_bridge(const ovsrec_bridge* found);
    void correct_port(const ovsrec_bridge* found, const TunnelPortConfig& port);
    void correct_bfd_ports(const ovsrec_bridge* found);
    void insert_bfd_port(const ovsrec_bridge* found, const BfdPortConfig& port);
    static void correct_bfd_port(const ovsrec_interface* interface, const BfdPortConfig& port);
    ovsrec_port* insert_port(const TunnelPortConfig& port);
};

bool VswitchDb::Impl::run() {
    // A wish that comes while a transaction is outstanding is met when that ends.
    if (!session.run() && !std::exchange(wish_changed, false)) {
        return false;
    }
    wish_changed = false;
    if (session.may_edit()) {
        reconcile();
    }
    View next = take_view();
    next.connected = session.connected();
    const bool changed = next != view;
    view = std::move(next);
    return changed;
}

View VswitchDb::Impl::take_view() const {
    View next;
    const ovsrec_open_vswitch* root = session.root();
    const ovsrec_bridge* found = find_bridge(root, bridge.name);

    next.problem = find_problem(root, found);
    if (found == nullptr) {
        return next;
    }
    next.datapath_type = text_of(hnv_bridge_datapath_type(found));
    if (next.datapath_type.empty()) {
        next.datapath_type = kSystem;
    }
    for_each_interface(found, [&](const ovsrec_interface* interface) {
        if (is_switch_port(hnv_interface_ofport(interface))) {
            next.interfaces.push_back(facts_of(interface));
        }
    });
    std::ranges::sort(next.interfaces, {}, &InterfaceFacts::name);
    for (std::size_t p = 0; p < hnv_bridge_n_ports(found); ++p) {
        const ovsrec_port* port = hnv_bridge_port(found, p);
        if (is_bfd_port(port)) {
            next.bfd_ports.emplace(hnv_port_name(port), bfd_facts_of(hnv_port_interface(port, 0)));
        }
    }

    next.bridge_ready = std::ranges::all_of(ports, [&](const TunnelPortConfig& port) {
        const ovsrec_interface* interface = find_interface(found, port.name);
        if (interface == nullptr || port.type != hnv_interface_type(interface)) {
            return false;
        }
        const std::int64_t ofport = hnv_interface_ofport(interface);
        // A tunnel port that ovs-vswitchd could not make (-1: its UDP port is taken, say) is a
        // problem to report, and no reason to hold back the traffic that needs no tunnel.
        return port.name == bridge.name ? ofport == kLocalPort
                                        : is_switch_port(ofport) || ofport < 0;
    });
    return next;
}

// The first thing that keeps the bridge from working, in words for a person.
std::string VswitchDb::Impl::find_problem(const ovsrec_open_vswitch* root,
                                          const ovsrec_bridge* found) const {
    if (!session.error().empty()) {
        return session.error();
    }
    if (root == nullptr) {
        return !session.has_been_read()
                   ? "the Open_vSwitch database has not been read yet"
                   : "the Open_vSwitch database has no root row (ovs-vsctl init makes it)";
    }
    if (found == nullptr) {
        return wanted_datapath_type(root) ? std::string()
                                          : "ovs-vswitchd has not reported its datapath types yet";
    }
    std::string_view type = text_of(hnv_bridge_datapath_type(found));
    type = type.empty() ? kSystem : type;
    if (hnv_root_n_datapath_types(root) != 0 && !offers_datapath_type(root, type)) {
        return "bridge " + bridge.name + " has datapath type " + std::string(type) +
               ", which this ovs-vswitchd does not offer";
    }
    for (const TunnelPortConfig& port : ports) {
        const ovsrec_interface* interface = find_interface(found, port.name);
        if (interface == nullptr) {
            continue;
        }
        if (const std::string_view error = text_of(hnv_interface_error(interface));
            !error.empty()) {
            return "interface " + port.name + ": " + std::string(error);
        }
        if (hnv_interface_ofport(interface) < 0) {
            return "interface " + port.name + ": ovs-vswitchd could not make it";
        }
    }
    return {};
}

// What to make the bridge with; nullopt while that can't be known yet.
std::optional<std::string> VswitchDb::Impl::wanted_datapath_type(
    const ovsrec_open_vswitch* root) const {
    if (bridge.datapath_type != kAuto) {
        return bridge.datapath_type;
    }
    if (hnv_root_n_datapath_types(root) == 0) {
        return std::nullopt;
    }
    return std::string(offers_datapath_type(root, kSystem) ? kSystem : kNetdev);
}

// Puts together and sends whatever brings the database to what is wished. When nothing differs, the
// transaction is empty and the IDL sends nothing.
void VswitchDb::Impl::reconcile() {
    session.forget_refusal();
    const ovsrec_open_vswitch* root = session.root();
    if (root == nullptr) {
        return;
    }
    const ovsrec_bridge* found = find_bridge(root, bridge.name);
    const std::optional<std::string> type = wanted_datapath_type(root);
    if (found == nullptr && !type) {
        return;
    }
    txn = session.begin();
    if (found == nullptr) {
        insert_bridge(root, *type);
    } else {
        correct_bridge(found);
    }
    txn = nullptr;
    session.commit();
}

void VswitchDb::Impl::insert_bridge(const ovsrec_open_vswitch* root, const std::string& type) {
    std::vector<ovsrec_port*> inserted;
    inserted.reserve(ports.size());
    for (const TunnelPortConfig& port : ports) {
        inserted.push_back(insert_port(port));
    }
    const ovsrec_bridge* made = hnv_txn_insert_bridge(txn, root, bridge.name.c_str(), type.c_str(),
                                                      inserted.data(), inserted.size(), kMark);
    std::array<const char*, kProtocols.size()> protocols = kProtocols;
    hnv_bridge_set_fail_mode(made, kFailMode);
    hnv_bridge_set_protocols(made, protocols.data(), protocols.size());
    hnv_bridge_set_other_config(made, kNoInBand);
}

void VswitchDb::Impl::correct_bridge(const ovsrec_bridge* found) {
    if (text_of(hnv_bridge_fail_mode(found)) != kFailMode) {
        hnv_bridge_set_fail_mode(found, kFailMode);
    }
    for (const char* protocol : kProtocols) {
        if (!hnv_bridge_has_protocol(found, protocol)) {
            hnv_bridge_add_protocol(found, protocol);
        }
    }
    if (text_of(hnv_bridge_other_config(found, kNoInBand.key)) != kNoInBand.value) {
        hnv_bridge_put_other_config(found, kNoInBand.key, kNoInBand.value);
    }
    for (const TunnelPortConfig& port : ports) {
        correct_port(found, port);
    }
    if (bfd_ports) {
        correct_bfd_ports(found);
    }
}

// Options beyond the wished ones (a checksum setting, say) are the administrator's and stay.
void VswitchDb::Impl::correct_port(const ovsrec_bridge* found, const TunnelPortConfig& port) {
    const ovsrec_interface* interface = find_interface(found, port.name);
    if (interface == nullptr) {
        hnv_bridge_add_port(found, insert_port(port));
        return;
    }
    if (port.type != hnv_interface_type(interface)) {
        hnv_interface_set_type(interface, port.type.c_str());
    }
    for (const auto& [key, value] : port.options) {
        if (text_of(hnv_interface_option(interface, key.c_str())) != value) {
            hnv_interface_put_option(interface, key.c_str(), value.c_str());
        }
    }
}

void VswitchDb::Impl::correct_bfd_ports(const ovsrec_bridge* found) {
    std::map<std::string_view, const ovsrec_port*> there;
    for (std::size_t p = 0; p < hnv_bridge_n_ports(found); ++p) {
        const ovsrec_port* port = hnv_bridge_port(found, p);
        if (is_bfd_port(port)) {
            there.emplace(hnv_port_name(port), port);
        }
    }
    for (const BfdPortConfig& port : bfd_ports->wanted) {
        const auto known = there.find(port.name);
        if (known == there.end()) {
            insert_bfd_port(found, port);
            continue;
        }
        correct_bfd_port(hnv_port_interface(known->second, 0), port);
        there.erase(known);
    }
    for (const auto& [name, port] : there) {
        if (!bfd_ports->kept.contains(std::string(name))) {
            hnv_bridge_remove_port(found, port);
        }
    }
}

void VswitchDb::Impl::insert_bfd_port(const ovsrec_bridge* found, const BfdPortConfig& port) {
    const std::vector<hnv_string_pair> bfd = pairs_of(port.bfd);
    ovsrec_port* inserted = insert_port({port.name, port.type, port.options});
    hnv_interface_set_bfd(hnv_port_interface(inserted, 0), bfd.data(), bfd.size());
    hnv_bridge_add_port(found, inserted);
}

// Nothing is written that is there already: a session that runs goes on.
void VswitchDb::Impl::correct_bfd_port(const ovsrec_interface* interface,
                                       const BfdPortConfig& port) {
    const std::vector<hnv_string_pair> options = pairs_of(port.options);
    const std::vector<hnv_string_pair> bfd = pairs_of(port.bfd);
    if (port.type != hnv_interface_type(interface)) {
        hnv_interface_set_type(interface, port.type.c_str());
    }
    if (!hnv_interface_has_options(interface, options.data(), options.size())) {
        hnv_interface_set_options(interface, options.data(), options.size());
    }
    if (!hnv_interface_has_bfd(interface, bfd.data(), bfd.size())) {
        hnv_interface_set_bfd(interface, bfd.data(), bfd.size());
    }
}

ovsrec_port* VswitchDb::Impl::insert_port(const TunnelPortConfig& port) {
    const std::vector<hnv_string_pair> options = pairs_of(port.options);
    return hnv_txn_insert_port(txn, port.name.c_str(), port.type.c_str(), options.data(),
                               options.size(), kMark);
}

VswitchDb::VswitchDb(const std::string& remote, BridgeConfig bridge,
                     std::vector<TunnelPortConfig> tunnel_ports)
    : impl_(std::make_unique<Impl>(remote, std::move(bridge))) {
    impl_->ports = std::move(tunnel_ports);
    impl_->ports.insert(impl_->ports.begin(), TunnelPortConfig{impl_->bridge.name, "internal", {}});
}

VswitchDb::~VswitchDb() = default;

bool VswitchDb::run() { return impl_->run(); }

void VswitchDb::set_bfd_ports(BfdPortsConfig ports) {
    if (impl_->bfd_ports != ports) {
        impl_->bfd_ports = std::move(ports);
        impl_->wish_changed = true;
    }
}

void VswitchDb::wait() {
    impl_->session.wait();
    if (impl_->wish_changed) {
        wake_now();
    }
}

bool VswitchDb::connected() const { return impl_->view.connected; }

bool VswitchDb::bridge_ready() const { return impl_->view.bridge_ready; }

const std::vector<InterfaceFacts>& VswitchDb::interfaces() const { return impl_->view.interfaces; }

std::optional<std::uint32_t> VswitchDb::tunnel_ofport(std::string_view name) const {
    const auto& interfaces = impl_->view.interfaces;
    const auto found = std::ranges::find(interfaces, name, &InterfaceFacts::name);
    if (found == interfaces.end()) {
        return std::nullopt;
    }
    return found->ofport;
}

const std::map<std::string, BfdPortFacts>& VswitchDb::bfd_ports() const {
    return impl_->view.bfd_ports;
}

std::string VswitchDb::datapath_type() const { return impl_->view.datapath_type; }

std::string VswitchDb::problem() const { return impl_->view.problem; }

}  // namespace hnv::ovs
