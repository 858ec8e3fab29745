// The one policy model.
//
// Specs go in by put() and remove(), in any order; commit() works out what they mean together and
// returns the objects whose flows may have changed; the pipeline then asks for these objects'
// views. Faults about how rows fit together go to Faults, answers for the ARP responder to
// NeighbourTable.
//
// Cost: put(), remove() and commit() follow what changes. A changed mapping costs the same among
// ten and among a million; only rows that name one and the same MAC, or CA, are gone through
// together.
//
// Thread: one thread; only the NeighbourTable is read by others.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "policy/bindings.h"
#include "policy/faults.h"
#include "policy/leases.h"
#include "policy/neighbours.h"
#include "policy/objects.h"
#include "policy/records.h"
#include "policy/rule_book.h"

namespace hnv::policy {

// A provider address that the host carries now.
struct CarriedAddress {
    IpAddress address;
    std::uint32_t mark = 0;  // pkt_mark of its routing compartment; 0: the host's own routes.
    unsigned mtu = 0;        // Of the interface that carries it; 0: not known.
    auto operator<=>(const CarriedAddress&) const = default;
};

// Where the VLANs of one uplink are reached.
struct VlanUplink {
    std::uint32_t ofport = 0;  // 0: there is no port yet.
    std::string problem{};     // Why there can't be one, for a person.
    bool operator==(const VlanUplink&) const = default;
};

// A frame of a port as learning sees it.
struct Sighting {
    std::uint32_t ofport = 0;
    std::uint16_t vlan = 0;              // 0: untagged.
    MacAddress mac;                      // Its source, one station's.
    std::optional<IpAddress> address{};  // The sender's, if the frame tells it.
    auto operator<=>(const Sighting&) const = default;
};

// What the model knows of a sighting, as of the last commit.
struct SightingStatus {
    enum class Standing : std::uint8_t {
        NoPort,    // Of no port that learns, or not in a subnet of it. The rest is not set.
        Reserved,  // The MAC is that of another port's interface, or of the distributed router.
        New,
        Here,       // It is known to be behind this port.
        Elsewhere,  // It is known to be behind another one, or in another VLAN.
    };
    Standing standing{};
    ObjectId id{};                // ObjectKind::Learned.
    bool news = false;            // Here: the address is not the one that was known …
    bool replaces = false;        // … and there was one, or another MAC has it.
    std::size_t of_port = 0;      // MACs learned of the port.
    std::size_t limit = 0;        // How many it may have.
    std::string port{};           // Its name.
    std::optional<RowRef> row{};  // Its Physical_Port.
};

// Which learned MAC, for those who publish it.
struct LearnedKey {
    Uuid subnet;  // Row of Logical_Switch.
    MacAddress mac;
    auto operator<=>(const LearnedKey&) const = default;
};
struct LearnedStatus {
    std::string port;
    std::uint16_t vlan = 0;
    std::uint32_t vsid = 0;
    std::optional<IpAddress> v4;
    std::optional<IpAddress> v6;
    std::optional<IpAddress> pa;  // By which other hosts reach it.
};

struct ModelCounts {
    std::size_t networks = 0;
    std::size_t subnets = 0;
    std::size_t mappings = 0;
    std::size_t ports = 0;
    std::size_t ports_active = 0;
    std::size_t provider_addresses = 0;
    std::size_t rules = 0;
    std::size_t learned_macs = 0;
};

// A mapping as a person sees it.
struct MappingStatus {
    std::uint32_t vsid = 0;
    MacAddress mac;
    std::optional<IpAddress> ca;
    std::optional<LocatorSpec> locator;
    MappingType type{};
    bool local = false;
};

class Model {
  public:
    // The default of Physical_Switch.distributed_router_mac.
    static constexpr MacAddress kDefaultRouterMac{{0x00, 0x15, 0x5d, 0xff, 0xff, 0xfe}};

    Model(NeighbourTable& neighbours, Faults& faults);
    ~Model();
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    // --- input. put() inserts or changes a row; remove() of an unknown row does nothing ---
    void put(const Uuid& row, SubnetSpec spec);
    void put(const Uuid& row, RouterSpec spec);
    void put(const Uuid& row, LocatorSpec spec);
    void put(const Uuid& row, const MappingSpec& spec);
    void put(const Uuid& row, LocatorSetSpec spec);
    void put(const Uuid& row, const GroupSpec& spec);
    void put(const Uuid& row, PortSpec spec);
    void put(const Uuid& row, PortSettingsSpec spec);
    void put(const Uuid& row, ProviderAddressSpec spec);
    void put(const Uuid& row, RuleSpec spec);
    void put(const Uuid& row, const AclEntrySpec& spec);
    void put(const Uuid& row, AclSpec spec);
    // Before its put(): a row of hardware_vtep. Of those that nothing is said of, tables that both
    // databases have are ms_vtep's.
    void note_vtep(const Uuid& row) { vtep_rows_.insert(row); }
    void put(const Uuid& row, NatSpec spec);
    void put(const Uuid& row, ServiceRuleSpec spec);
    void put(const Uuid& row, AdapterSpec spec);
    void put(const Uuid& row, AdapterAddressSpec spec);
    void remove(const RowRef& row);
    void set_router_mac(const MacAddress& mac);
    void set_tunnel_ports(const TunnelPorts& ports);
    void set_host_settings(const HostSettingsSpec& settings);
    // All provider addresses that the host carries now, whoever made them.
    void set_carried_addresses(std::vector<CarriedAddress> carried);
    // Ports of the integration bridge that carry BFD alone.
    void set_bfd_ports(std::vector<std::uint32_t> ofports);
    // Provider addresses that are not to be chosen where there is a choice.
    void set_unreachable(const std::set<IpAddress>& addresses);
    // The ports that lead to the uplinks of vlan_uplinks().
    void set_vlan_uplinks(std::map<std::string, VlanUplink> uplinks);
    // All guests' interfaces that there are now.
    void set_interfaces(const std::vector<InterfaceSpec>& interfaces);

    // --- learning (model_learning.cpp). What is learned of a port lasts while the port is active
    // in the subnet; who calls decides on limits and on time ---
    [[nodiscard]] SightingStatus look_at(const Sighting& sighting) const;
    // Learns it, or moves it here, or changes its address. Nothing for NoPort and Reserved.
    void learn(const Sighting& sighting);
    // As it was before a restart; false: the port is not active in the subnet (yet).
    [[nodiscard]] bool restore(const LearnedKey& key, const LearnedStatus& status);
    void forget(const ObjectId& learned);
    void forget(const LearnedKey& learned);

    // --- on-demand programming (model_demand.cpp). Who calls decides on limits and on time ---
    // The object of a MAC, or of the MAC of a customer address; nullopt: nobody in the subnet has
    // it, or the subnet is programmed proactively.
    [[nodiscard]] std::optional<ObjectId> demandable(std::uint32_t vsid,
                                                     const MacAddress& mac) const;
    [[nodiscard]] std::optional<ObjectId> demandable(std::uint32_t vsid, const IpAddress& ca) const;
    // Of a MAC, in whichever subnets.
    [[nodiscard]] std::vector<ObjectId> demandable_everywhere(const MacAddress& mac) const;
    // Gives a demandable object its flows, until release(), or until it is mapped no more. False:
    // it had them already.
    bool demand(const ObjectId& mac);
    void release(const ObjectId& mac);
    [[nodiscard]] bool is_demanded(const ObjectId& mac) const;
    // Whether for_each_on_demand_subnet() may name others than at the last call.
    [[nodiscard]] bool take_programming_changes() {
        return std::exchange(programming_changed_, false);
    }
    [[nodiscard]] std::size_t demanded() const { return demanded_; }
    void for_each_on_demand_subnet(
        const std::function<void(std::uint32_t vsid, std::size_t demanded)>& visit) const;

    // The objects whose views may differ from what they were at the last commit.
    [[nodiscard]] std::vector<ObjectId> commit();

    // --- views, as of the last commit; nullopt: the object owns no flows ---
    [[nodiscard]] HostView host() const;
    [[nodiscard]] const HostSettingsSpec& host_settings() const { return host_settings_; }
    [[nodiscard]] std::optional<PortView> port(const ObjectId& id) const;
    [[nodiscard]] std::optional<SubnetView> subnet(const ObjectId& id) const;
    [[nodiscard]] std::optional<PeerView> peer(const ObjectId& id) const;
    [[nodiscard]] std::optional<MacView> mac(const ObjectId& id) const;
    [[nodiscard]] std::optional<RouterView> router(const ObjectId& id) const;
    [[nodiscard]] std::optional<VipView> vip(const ObjectId& id) const;
    [[nodiscard]] std::optional<LearnedView> learned(const ObjectId& id) const;
    [[nodiscard]] std::optional<ServiceView> service(const ObjectId& id) const;
    // The uplinks that subnets name which are VLANs of the underlay, ascending.
    [[nodiscard]] std::vector<std::string> vlan_uplinks() const;
    [[nodiscard]] std::optional<RulesView> rules(const ObjectId& id) const;
    // Every object that may own flows.
    void for_each_object(const std::function<void(const ObjectId&)>& visit) const;
    // The row that a person would change to change the object.
    [[nodiscard]] std::optional<RowRef> row_of(const ObjectId& id) const;

    // What DHCP and router advertisements tell the guests; any thread may read it.
    [[nodiscard]] const LeaseTable& leases() const { return leases_; }

    // The locators that mappings and groups of hardware_vtep name; by row, in no order.
    void for_each_vtep_locator(
        const std::function<void(const Uuid&, const LocatorSpec&)>& visit) const;
    // Whether these may have changed since the last call.
    [[nodiscard]] bool take_locator_changes() { return std::exchange(locators_changed_, false); }

    // Every row that is in the model.
    [[nodiscard]] std::vector<RowRef> rows() const;

    // --- for people ---
    [[nodiscard]] ModelCounts counts() const;
    [[nodiscard]] std::size_t learned_macs() const { return learned_count_; }
    void for_each_port(const std::function<void(const PortStatus&)>& visit) const;
    void for_each_mapping(const std::function<void(const MappingStatus&)>& visit) const;
    void for_each_provider_address(
        const std::function<void(const Uuid&, const ProviderAddressSpec&)>& visit) const;
    // By name of the row.
    void for_each_nat(const std::function<void(const NatStatus&)>& visit) const;
    // The views of the ports that rows of NAT name, by name of the port.
    void for_each_nat_port(const std::function<void(const PortView&)>& visit) const;
    // A port's rules in force, by layer, direction, priority and id.
    [[nodiscard]] std::vector<RuleSpec> rules_in_force(const std::string& port) const;
    // Of the distributed router; nullopt: hardware_vtep has no logical router.
    [[nodiscard]] std::optional<MacAddress> vtep_router_mac() const;
    // What the rows of Physical_Port in force bind, in no order.
    void for_each_binding(const std::function<void(const BindingStatus&)>& visit) const;
    // Ports whose status changed since the last call, by name.
    [[nodiscard]] std::vector<PortStatus> take_port_changes();
    // nullopt: it is not learned.
    [[nodiscard]] std::optional<LearnedStatus> learned(const LearnedKey& key) const;
    // Those whose status changed since the last call.
    [[nodiscard]] std::set<LearnedKey> take_learned_changes();
    // The PA to which other hosts send what is for unknown MACs of a subnet of hardware_vtep;
    // nullopt: no port of it is active here.
    [[nodiscard]] std::optional<IpAddress> flood_endpoint(const Uuid& subnet) const;
    // Rows of Logical_Switch for which that may have changed since the last call.
    [[nodiscard]] std::set<Uuid> take_flood_endpoint_changes();

  private:
    // model_subnets.cpp
    SubnetRecord& subnet_record(const Uuid& row);
    void release(SubnetRecord& subnet);
    void remove_subnet(const Uuid& row);
    void elect(std::uint32_t vsid);
    void touch_all_of(SubnetRecord& subnet);
    void check_vlan(const SubnetRecord& subnet);
    void retract_neighbours(SubnetRecord& subnet);
    void resolve_subnets(const std::unordered_set<SubnetRecord*>& touched);
    [[nodiscard]] bool publish_gateways(SubnetRecord& subnet);
    void publish_link_local(SubnetRecord& subnet, const std::set<IpAddress>& gateways);

    // model_routers.cpp
    void remove_router(const Uuid& row);
    void unbind(const Uuid& router, const Uuid& subnet);
    void check_router(const Uuid& row);
    void check_routes(RouterRecord& router);
    void touch_router(RouterRecord& router);
    void touch_routes_to(const SubnetRecord& subnet, const IpAddress& ca);
    void note_network(SubnetRecord& subnet, NetworkKey network);
    void note_routed(SubnetRecord& subnet);
    [[nodiscard]] const RouterRecord* router_of(const SubnetRecord& subnet) const;
    [[nodiscard]] std::vector<SubnetRecord*> subnets_of(const RouterRecord& router) const;
    [[nodiscard]] std::optional<NetworkKey> network_of(const RouterRecord& router) const;
    [[nodiscard]] NetworkKey network_of(const SubnetRecord& subnet) const;
    [[nodiscard]] std::optional<RouterView::Route> resolve(const RouterRecord& router,
                                                           const StaticRoute& route) const;

    // model_mappings.cpp
    LocatorRecord& locator_record(const Uuid& row);
    void hold(LocatorRecord& locator);
    void remove_locator(const Uuid& row);
    void release(LocatorRecord& locator);
    void unlist(LocatorRecord& locator);
    void touch_twins(const IpAddress& pa);
    void touch_twins(const SubnetRecord& subnet, const IpAddress& pa);
    [[nodiscard]] static bool agrees_on_mac(const MappingRecord& mapping);
    [[nodiscard]] static const MappingRecord* owner_of(const SubnetRecord& subnet,
                                                       const IpAddress& ca);
    [[nodiscard]] static bool share(const MappingRecord& a, const MappingRecord& b);
    [[nodiscard]] static bool in_force(const MappingRecord& mapping);
    [[nodiscard]] static bool any_in_force(const MappingRecord& first);
    void count(MappingRecord& mapping, LocatorRecord* locator);
    void resolve_macs();
    void check_mac(MappingRecord& first);
    void check_ca(MappingRecord& first, const MappingRecord* owner);
    [[nodiscard]] static std::vector<IpAddress> cas_of(const MappingRecord& first);
    void remove_mapping(const Uuid& row);
    void link(MappingRecord& mapping);
    void unlink(MappingRecord& mapping);
    void count_locator(SubnetRecord& subnet, LocatorRecord& locator, std::size_t LocatorUse::*kind,
                       bool added);
    void touch_mac(SubnetRecord& subnet, const MacAddress& mac);
    void touch_ca(SubnetRecord& subnet, const IpAddress& ca);
    void resolve_cas();
    void resolve_ca(SubnetRecord& subnet, const IpAddress& ca);
    void resolve_vip(SubnetRecord& subnet, const IpAddress& ca, const MappingRecord* owner);

    // model_provider_addresses.cpp
    void touch_pa(const IpAddress& pa);
    [[nodiscard]] bool is_local_pa(const IpAddress& pa) const;
    void remove_provider_address(const Uuid& row);
    [[nodiscard]] const CarriedAddress* source_of(const PortRecord& port, bool v4) const;
    void send_from(const PortRecord& port, PortView& view, PortStatus& status);

    // model_groups.cpp
    void remove_locator_set(const Uuid& row);
    void release_locator_set(const Uuid& row);
    void touch_users(const LocatorSetRecord& set);
    void remove_group(const Uuid& row);
    void resolve_groups();
    void check_group(const std::optional<MacAddress>& mac, const Claims<Uuid>& claims);
    // Where copies of a broadcast go, and come.
    struct Spread {
        std::vector<LocatorSpec> peers;
        std::vector<IpAddress> arrivals;
    };
    [[nodiscard]] Spread spread_of(std::vector<LocatorSpec> locators) const;
    [[nodiscard]] Spread spread_of_set(const SubnetRecord& subnet, const Uuid& set) const;
    void choose_service_node(std::uint32_t vsid, std::vector<LocatorSpec>& peers) const;
    [[nodiscard]] Spread spread_of_mappings(const SubnetRecord& subnet) const;
    void view_replication(const SubnetRecord& subnet, SubnetView& view) const;
    [[nodiscard]] IpAddress arrival_of(const SubnetRecord& subnet, const PortRecord& port) const;

    // model_ports.cpp
    PortRecord& port_record(std::string_view name);
    void touch_port(PortRecord& port);
    void remove_port(const Uuid& row);
    void remove_settings(const Uuid& row);
    void resolve_ports();
    void resolve_port(PortRecord& port);
    void bind_port(PortRecord& port);
    void touch_ports_of(SubnetRecord& subnet, const std::optional<MacAddress>& mac);
    // Sentences about what keeps a port out of a subnet.
    struct Trouble {
        std::string unbound;
        std::string unknown;
    };
    [[nodiscard]] Trouble attach(const PortRecord& port, PortView& view,
                                 std::vector<PortStatus::Binding>& bindings) const;
    [[nodiscard]] std::string why_blocked(PortRecord& port, PortView& view,
                                          std::vector<PortStatus::Binding>& bindings);
    [[nodiscard]] static std::string find_addresses(const PortRecord& port,
                                                    const SubnetRecord& subnet,
                                                    Attachment& attachment);
    [[nodiscard]] std::optional<Attachment::Router> gateways_of(const SubnetRecord& subnet) const;
    [[nodiscard]] static std::vector<IpAddress> router_addresses_of(const SubnetRecord& subnet);
    void report_port(const PortRecord& port, FaultKey key, const std::string& what,
                     const std::string& reason);
    void check_port_rows(const PortRecord& port);

    // model_learning.cpp
    [[nodiscard]] const PortRecord* learning_port(std::uint32_t ofport) const;
    [[nodiscard]] static bool learns(const PortRecord& port, const SubnetRecord& subnet,
                                     std::uint16_t vlan);
    void place(SubnetRecord& subnet, const MacAddress& mac, PortRecord& port, std::uint16_t vlan);
    void give_address(SubnetRecord& subnet, const MacAddress& mac, const IpAddress& address);
    void take_address(SubnetRecord& subnet, const MacAddress& mac, bool v4);
    void forget(SubnetRecord& subnet, const MacAddress& mac);
    void touch_learned(const SubnetRecord& subnet, const MacAddress& mac);
    [[nodiscard]] static bool may_have(const SubnetRecord& subnet, const IpAddress& ca);
    void touch_learned(const SubnetRecord& subnet);
    void resolve_learned(PortRecord& port);
    void touch_flood_endpoint(const SubnetRecord& subnet);
    [[nodiscard]] Flood flood_of(const SubnetRecord& subnet) const;

    // model_demand.cpp
    [[nodiscard]] bool wants_on_demand(const SubnetRecord& subnet) const;
    void resolve_programming();
    void demand(SubnetRecord& subnet, const MacAddress& mac);

    // model_acls.cpp
    void remove_acl_entry(const Uuid& row);
    void remove_acl(const Uuid& row);
    void resolve_acls();
    void bind_acls(PortRecord& port);
    [[nodiscard]] std::vector<AclEntrySpec> acl_of(const PortRecord& port,
                                                   std::uint16_t vlan) const;
    [[nodiscard]] static std::string unused_acls(const PortRecord& port);

    // model_adapters.cpp
    AdapterAddressRecord& adapter_address_record(const Uuid& row);
    void remove_adapter(const Uuid& row);
    void remove_adapter_address(const Uuid& row);
    void note_adapter(PortRecord& port);
    void note_mac(PortRecord& port);
    void touch_adapters_of(const SubnetRecord& subnet);
    void touch_claimants(const SubnetRecord& subnet, const IpAddress& ca);
    void claim_addresses(PortRecord& port);
    void check_adapters(const PortRecord& port);
    void check_adapter_addresses();
    [[nodiscard]] static bool belongs(const PortRecord& port, const SubnetRecord& subnet,
                                      const IpAddress& ca);
    [[nodiscard]] static std::string conflict_of(const PortRecord& port, const SubnetRecord& subnet,
                                                 const IpAddress& ca);
    [[nodiscard]] static std::optional<std::vector<const AdapterAddressSpec*>> adapter_cas_of(
        const PortRecord& port, const SubnetRecord& subnet);
    [[nodiscard]] unsigned guest_mtu() const;
    [[nodiscard]] std::optional<GuestConfig> guest_config(const PortRecord& port,
                                                          const Attachment& attachment) const;
    void publish_leases(const PortRecord& port, PortView& view);

    // model_rules.cpp
    void resolve_rules();

    // The row of a table that both ms_vtep and hardware_vtep have.
    [[nodiscard]] RowRef ref(SourceTable ms_table, const Uuid& row) const {
        return {vtep_rows_.contains(row) ? vtep_twin(ms_table) : ms_table, row};
    }
    // model_nat.cpp
    void remove_nat(const Uuid& row);
    void touch_nat_ports();
    void touch_nat_ports_of(const IpAddress& external);
    void resolve_nat(PortRecord& port, PortView& view);
    [[nodiscard]] std::string nat_port_problem(const PortRecord& port, const PortView& view,
                                               const NatSpec& spec) const;
    [[nodiscard]] bool has_ca_among(const SubnetRecord& subnet, const NatSpec& spec,
                                    IpAddress& found) const;
    [[nodiscard]] std::string nat_ca_problem(const PortRecord& port, const NatSpec& spec) const;

    // model_services.cpp
    void remove_service(const Uuid& row);
    void index_service(const Uuid& row, const ServiceRuleSpec& spec, bool there);
    void touch_services();
    void touch_services(const PortRecord& port);
    void touch_services_with_key(std::uint32_t key);
    void touch_services_with_next_hop(const IpAddress& ca);
    void resolve_services();
    void resolve_services(PortRecord& port);
    [[nodiscard]] std::optional<std::string> why_no_key(std::uint32_t key) const;
    [[nodiscard]] std::optional<std::string> trouble(const ServiceRuleSpec& rule,
                                                     const MirrorSourceSpec& mirror) const;
    [[nodiscard]] std::optional<std::string> trouble(const Uuid& row, const ServiceRuleSpec& rule,
                                                     const MirrorDestinationSpec& mirror) const;
    [[nodiscard]] std::optional<ServiceView::Mirror> mirror_of(
        const ServiceRuleSpec& rule, const MirrorSourceSpec& mirror) const;
    [[nodiscard]] ServiceView::Insertion insertion_of(const PortRecord& port,
                                                      const ServiceRuleSpec& rule,
                                                      const InsertionSpec& insertion) const;
    [[nodiscard]] ServiceView::Insertion::Hop hop_of(const SubnetRecord& subnet,
                                                     const Attachment& attachment,
                                                     const IpAddress& next_hop) const;

    void remove_of_port(const RowRef& row);
    void clear_faults(const RowRef& row);
    void touch(ObjectKind kind, std::uint32_t owner, std::uint64_t detail = 0);

    NeighbourTable& neighbours_;
    Faults& faults_;

    // Records; stable in memory while they exist. Numbers are never used twice.
    std::unordered_map<Uuid, std::unique_ptr<SubnetRecord>> subnets_;
    std::unordered_map<std::uint32_t, SubnetRecord*> subnets_by_number_;
    std::unordered_map<std::uint32_t, std::vector<SubnetRecord*>> subnets_by_vsid_;
    std::map<Uuid, RouterRecord> routers_;
    std::unordered_map<std::uint32_t, Uuid> routers_by_number_;
    std::unordered_map<Uuid, std::unique_ptr<LocatorRecord>> locators_;
    std::unordered_map<std::uint32_t, LocatorRecord*> locators_by_number_;
    std::map<IpAddress, std::set<std::uint32_t>> locators_by_pa_;
    std::unordered_map<Uuid, MappingRecord> mappings_;
    std::unordered_map<Uuid, LocatorSetRecord> locator_sets_;
    std::unordered_map<Uuid, GroupSpec> groups_;
    std::map<Uuid, ProviderAddressSpec> provider_addresses_;
    std::unordered_map<std::string, std::unique_ptr<PortRecord>> ports_;
    std::unordered_map<std::uint32_t, PortRecord*> ports_by_number_;
    std::unordered_map<Uuid, std::string> port_rows_;      // Physical_Port row → name.
    std::unordered_map<Uuid, std::string> settings_rows_;  // Port_Settings row → name.
    std::unordered_map<Uuid, std::string> nat_rows_;       // NAT row → port's name.
    std::set<PortRecord*> nat_ports_;                      // Those that NAT rows name.
    ServiceIndex services_;
    RuleBook rules_;
    std::unordered_map<Uuid, AclRecord> acls_;
    std::unordered_map<Uuid, AclEntryRecord> acl_entries_;
    std::unordered_set<Uuid> vtep_rows_;                  // Of tables that ms_vtep has as well.
    std::unordered_map<Uuid, std::string> adapter_rows_;  // ms_darv.Ports row → port's name.
    std::unordered_map<Uuid, AdapterAddressRecord> adapter_addresses_;
    LeaseTable leases_;
    MacAddress router_mac_ = kDefaultRouterMac;
    TunnelPorts tunnels_;
    HostSettingsSpec host_settings_;
    std::vector<CarriedAddress> carried_;  // Ascending.
    std::map<std::string, VlanUplink> vlan_uplinks_;
    std::set<std::pair<std::string, Uuid>> vlans_by_uplink_;  // Rows of subnets that are VLANs.
    std::vector<std::uint32_t> bfd_ofports_;
    std::set<IpAddress> unreachable_;
    bool locators_changed_ = true;
    std::unordered_map<std::uint32_t, PortRecord*> learning_ports_;  // By their OpenFlow number.
    std::size_t learned_count_ = 0;
    std::set<SubnetRecord*> on_demand_subnets_;
    std::size_t demanded_ = 0;  // MACs, in all of them.
    bool committed_ = false;    // There may be flows.
    bool programming_changed_ = false;
    std::uint32_t next_number_ = 1;

    // What commit() has to look at.
    std::unordered_set<ObjectId> touched_;
    std::unordered_set<ObjectId> touched_demands_;  // Nothing else depends on these.
    std::unordered_set<SubnetRecord*> touched_subnets_;
    std::unordered_set<SubnetRecord*> touched_groups_;
    std::unordered_set<SubnetRecord*> touched_programming_;
    std::unordered_map<SubnetRecord*, std::unordered_set<IpAddress>> touched_cas_;
    std::unordered_set<Uuid> touched_acls_;
    std::set<PortRecord*> touched_ports_;
    std::set<std::string> touched_services_;  // Names of ports.
    std::set<Uuid> touched_addresses_;        // Rows of IP_Addresses.
    std::map<std::string, PortStatus> changed_ports_;
    std::set<LearnedKey> changed_learned_;
    std::set<Uuid> changed_flood_endpoints_;
};

}  // namespace hnv::policy
