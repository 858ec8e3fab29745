#include "northbound/vtep_local_macs.h"

#include <algorithm>

#include "ovs-integration/event_loop.h"

namespace hnv::northbound {

namespace {

constexpr const char* kVtep = "hardware_vtep";
constexpr const char* kHost = "hnv_host";
constexpr const char* kUnknown = "unknown-dst";
constexpr const char* kEncapsulation = "vxlan_over_ipv4";

// Takes the row out of an index by what it was.
template <typename Index, typename Key>
void drop(Index& index, const Key& key, const Uuid& row) {
    const auto [first, last] = index.equal_range(key);
    const auto entry =
        std::find_if(first, last, [&](const auto& each) { return each.second == row; });
    if (entry != last) {
        index.erase(entry);
    }
}

[[nodiscard]] std::vector<Uuid> rows_of(const auto& index, const auto& key) {
    std::vector<Uuid> rows;
    const auto [first, last] = index.equal_range(key);
    std::for_each(first, last, [&](const auto& each) { rows.push_back(each.second); });
    return rows;
}

[[nodiscard]] std::string text_of(const std::optional<IpAddress>& address) {
    return address ? address->to_string() : "";
}

[[nodiscard]] std::set<std::string> addresses_of(const policy::LearnedStatus& status) {
    std::set<std::string> texts;
    for (const auto& address : {status.v4, status.v6}) {
        if (address) {
            texts.insert(address->to_string());
        }
    }
    return texts;
}

// The MAC as the agent spells it; false: it is spelt otherwise, or is none.
[[nodiscard]] bool read_mac(std::string_view text, MacAddress& mac) {
    const auto parsed = MacAddress::parse(text);
    mac = parsed.value_or(MacAddress{});
    return parsed && parsed->to_string() == text;
}

[[nodiscard]] Json::Value json_strings(const std::set<std::string>& texts) {
    return json_set({texts.begin(), texts.end()});
}

}  // namespace

void VtepLocalMacs::on_row(std::string_view database, const ovs::RowChange& change) {
    if (database == kHost) {
        if (change.table == "Learned_MAC") {
            note_memory(change);
        }
        return;
    }
    if (database != kVtep) {
        return;
    }
    if (change.table == "Ucast_Macs_Local") {
        note_unicast(change);
    } else if (change.table == "Mcast_Macs_Local") {
        note_multicast(change);
    } else if (change.table == "Physical_Locator" || change.table == "Physical_Locator_Set") {
        note_locator(change);
    } else if (change.table == "Logical_Switch") {
        due_subnets_.insert(change.uuid);
        if (change.after) {
            subnets_.insert(change.uuid);
        } else {
            subnets_.erase(change.uuid);
        }
    }
}

void VtepLocalMacs::on_replaced(std::string_view database) {
    if (database == kHost) {
        for (const auto& [row, memory] : std::exchange(memories_, {})) {
            due_.insert(memory.key);
        }
        memories_by_key_.clear();
    } else if (database == kVtep) {
        for (const auto& [row, unicast] : std::exchange(unicasts_, {})) {
            due_.insert(unicast.key);
        }
        for (const auto& [row, multicast] : std::exchange(multicasts_, {})) {
            due_subnets_.insert(multicast.subnet);
        }
        unicasts_by_key_.clear();
        multicasts_by_subnet_.clear();
        locators_.clear();
        locators_by_pa_.clear();
        locator_sets_.clear();
        subnets_.clear();
    }
}

void VtepLocalMacs::note_unicast(const ovs::RowChange& change) {
    if (const auto known = unicasts_.find(change.uuid); known != unicasts_.end()) {
        due_.insert(known->second.key);
        drop(unicasts_by_key_, known->second.key, change.uuid);
        unicasts_.erase(known);
    }
    if (!change.after) {
        return;
    }
    Unicast row;
    row.valid = read_mac(change.after->string("MAC"), row.key.mac);
    row.key.subnet = change.after->reference("logical_switch").value_or(Uuid{});
    row.ipaddr = change.after->string("ipaddr");
    row.locator = change.after->reference("locator").value_or(Uuid{});
    due_.insert(row.key);
    unicasts_by_key_.emplace(row.key, change.uuid);
    unicasts_.emplace(change.uuid, std::move(row));
}

void VtepLocalMacs::note_multicast(const ovs::RowChange& change) {
    if (const auto known = multicasts_.find(change.uuid); known != multicasts_.end()) {
        due_subnets_.insert(known->second.subnet);
        drop(multicasts_by_subnet_, known->second.subnet, change.uuid);
        multicasts_.erase(known);
    }
    if (!change.after) {
        return;
    }
    Multicast row{change.after->reference("logical_switch").value_or(Uuid{}),
                  std::string(change.after->string("MAC")),
                  std::string(change.after->string("ipaddr")),
                  change.after->reference("locator_set").value_or(Uuid{})};
    due_subnets_.insert(row.subnet);
    multicasts_by_subnet_.emplace(row.subnet, change.uuid);
    multicasts_.emplace(change.uuid, std::move(row));
}

void VtepLocalMacs::note_memory(const ovs::RowChange& change) {
    if (const auto known = memories_.find(change.uuid); known != memories_.end()) {
        due_.insert(known->second.key);
        drop(memories_by_key_, known->second.key, change.uuid);
        memories_.erase(known);
    }
    if (!change.after) {
        return;
    }
    Memory row;
    row.valid = read_mac(change.after->string("mac"), row.key.mac);
    row.key.subnet = change.after->reference("logical_switch").value_or(Uuid{});
    row.status.port = change.after->string("port");
    row.status.vlan = static_cast<std::uint16_t>(change.after->integer("vlan").value_or(0));
    for (const std::string_view text : change.after->strings("ipaddr")) {
        row.addresses.emplace(text);
        if (const auto address = IpAddress::parse(text)) {
            (address->is_v4() ? row.status.v4 : row.status.v6) = address;
        }
    }
    due_.insert(row.key);
    memories_by_key_.emplace(row.key, change.uuid);
    memories_.emplace(change.uuid, std::move(row));
}

void VtepLocalMacs::note_locator(const ovs::RowChange& change) {
    if (change.table == "Physical_Locator_Set") {
        locator_sets_.erase(change.uuid);
        if (change.after) {
            locator_sets_.emplace(change.uuid, change.after->references("locators"));
        }
        return;
    }
    if (const auto known = locators_.find(change.uuid); known != locators_.end()) {
        const auto row = locators_by_pa_.find(known->second);
        if (row != locators_by_pa_.end() && row->second == change.uuid) {
            locators_by_pa_.erase(row);
        }
        locators_.erase(known);
    }
    const auto pa = change.after ? IpAddress::parse(change.after->string("dst_ip")) : std::nullopt;
    if (pa && change.after->string("encapsulation_type") == kEncapsulation) {
        locators_.emplace(change.uuid, *pa);
        if (!change.after->integer("tunnel_key")) {  // The index of the table: one row at most.
            locators_by_pa_.insert_or_assign(*pa, change.uuid);
        }
    }
}

std::vector<std::pair<policy::LearnedKey, policy::LearnedStatus>> VtepLocalMacs::remembered()
    const {
    std::vector<std::pair<policy::LearnedKey, policy::LearnedStatus>> all;
    for (const auto& [row, memory] : memories_) {
        if (memory.valid) {
            all.emplace_back(memory.key, memory.status);
        }
    }
    return all;
}

Json::Value VtepLocalMacs::locator_of(const IpAddress& pa, Operations& out) {
    if (const auto known = locators_by_pa_.find(pa); known != locators_by_pa_.end()) {
        return json_uuid(known->second);
    }
    Json::Value& made = new_locators_[pa];
    if (made.isNull()) {
        Json::Value row;
        row["dst_ip"] = pa.to_string();
        row["encapsulation_type"] = kEncapsulation;
        made = json_named_uuid(out.insert("Physical_Locator", row));
    }
    return made;
}

void VtepLocalMacs::write_unicast(const policy::LearnedKey& key,
                                  const std::optional<policy::LearnedStatus>& wanted,
                                  Operations& out) {
    // The locators of this database are IPv4 alone.
    const bool told = wanted && wanted->pa && wanted->pa->is_v4() && subnets_.contains(key.subnet);
    const std::string ipaddr = told ? text_of(wanted->v4 ? wanted->v4 : wanted->v6) : "";
    bool there = false;
    for (const Uuid& uuid : rows_of(unicasts_by_key_, key)) {
        const Unicast& row = unicasts_.at(uuid);
        const auto pa = locators_.find(row.locator);
        const bool right = told && !there && row.valid && row.ipaddr == ipaddr &&
                           pa != locators_.end() && pa->second == *wanted->pa;
        there |= right;
        if (!right) {
            out.remove("Ucast_Macs_Local", uuid);
        }
    }
    if (told && !there) {
        Json::Value row;
        row["MAC"] = key.mac.to_string();
        row["ipaddr"] = ipaddr;
        row["logical_switch"] = json_uuid(key.subnet);
        row["locator"] = locator_of(*wanted->pa, out);
        out.insert("Ucast_Macs_Local", row);
    }
}

void VtepLocalMacs::write_memory(const policy::LearnedKey& key,
                                 const std::optional<policy::LearnedStatus>& wanted,
                                 Operations& out) {
    bool there = false;
    for (const Uuid& uuid : rows_of(memories_by_key_, key)) {
        const Memory& row = memories_.at(uuid);
        const bool right = wanted && !there && row.valid && row.status.port == wanted->port &&
                           row.status.vlan == wanted->vlan &&
                           row.addresses == addresses_of(*wanted);
        there |= right;
        if (!right) {
            out.remove("Learned_MAC", uuid);
        }
    }
    if (wanted && !there) {
        Json::Value row;
        row["logical_switch"] = json_uuid(key.subnet);
        row["mac"] = key.mac.to_string();
        row["port"] = wanted->port;
        row["vlan"] = wanted->vlan;
        row["ipaddr"] = json_strings(addresses_of(*wanted));
        out.insert("Learned_MAC", row);
    }
}

void VtepLocalMacs::write_multicast(const Uuid& subnet, const std::optional<IpAddress>& wanted,
                                    Operations& out) {
    const bool told = wanted && subnets_.contains(subnet);
    bool there = false;
    for (const Uuid& uuid : rows_of(multicasts_by_subnet_, subnet)) {
        const Multicast& row = multicasts_.at(uuid);
        const auto set = locator_sets_.find(row.locator_set);
        const auto pa = set != locator_sets_.end() && set->second.size() == 1
                            ? locators_.find(set->second.front())
                            : locators_.end();
        const bool right = told && !there && row.mac == kUnknown && row.ipaddr.empty() &&
                           pa != locators_.end() && pa->second == *wanted;
        there |= right;
        if (!right) {
            out.remove("Mcast_Macs_Local", uuid);
        }
    }
    if (told && !there) {
        Json::Value set;
        set["locators"] = locator_of(*wanted, out);
        Json::Value row;
        row["MAC"] = kUnknown;
        row["logical_switch"] = json_uuid(subnet);
        row["locator_set"] = json_named_uuid(out.insert("Physical_Locator_Set", set));
        out.insert("Mcast_Macs_Local", row);
    }
}

void VtepLocalMacs::write(policy::Model& model, std::int64_t now,
                          const std::function<bool(const policy::LearnedKey&)>& leave) {
    due_.merge(model.take_learned_changes());
    due_subnets_.merge(model.take_flood_endpoint_changes());
    if (now >= next_retry_ && (!written_.empty() || !written_subnets_.empty())) {
        due_.merge(std::exchange(written_, {}));
        due_subnets_.merge(std::exchange(written_subnets_, {}));
    }
    if (now < next_write_ || (due_.empty() && due_subnets_.empty())) {
        return;
    }
    next_write_ = now + kGatherMsec;
    Operations vtep;
    Operations host;
    new_locators_.clear();
    const auto differ = [&](auto& due, auto& written, const auto& compare) {
        for (std::size_t count = 0; !due.empty() && count < kMost; ++count) {
            const auto key = *due.begin();
            due.erase(due.begin());
            const std::size_t before = vtep.size() + host.size();
            compare(key);
            if (vtep.size() + host.size() != before) {
                written.insert(key);
                next_retry_ = now + kRetryMsec;
            }
        }
    };
    differ(due_, written_, [&](const policy::LearnedKey& key) {
        if (leave(key)) {
            return;
        }
        const auto wanted = model.learned(key);
        write_unicast(key, wanted, vtep);
        write_memory(key, wanted, host);
    });
    differ(due_subnets_, written_subnets_, [&](const Uuid& subnet) {
        write_multicast(subnet, model.flood_endpoint(subnet), vtep);
    });
    if (!host.empty()) {
        host.commit(server_, kHost, "learned MACs");
    }
    if (!vtep.empty()) {
        vtep.commit(server_, kVtep, "local MACs");
    }
}

void VtepLocalMacs::wait() const {
    if (!due_.empty() || !due_subnets_.empty()) {
        ovs::wake_at(next_write_);
    }
    if (!written_.empty() || !written_subnets_.empty()) {
        ovs::wake_at(next_retry_);
    }
}

}  // namespace hnv::northbound
