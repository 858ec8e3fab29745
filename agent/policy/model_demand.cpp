// On-demand programming: in a large subnet the flows of a remote MAC are made when somebody here
// first speaks to it, so that the switch has what is used and not all that there is.
//
//   proactive:  a MAC has its flows while it is mapped
//   on demand:  … and from demand() until release()
#include <algorithm>

#include "policy/model.h"

namespace hnv::policy {

// `auto` changes over when the subnet has grown to the limit, and back when it is half of that: a
// subnet at the limit would change to and fro.
bool Model::wants_on_demand(const SubnetRecord& subnet) const {
    if (!subnet.spec || subnet.spec->vlan || vtep_rows_.contains(subnet.row)) {
        return false;
    }
    switch (subnet.spec->programming.value_or(host_settings_.programming)) {
        case Programming::Proactive:
            return false;
        case Programming::OnDemand:
            return true;
        case Programming::Auto:
            break;
    }
    const std::size_t limit = host_settings_.on_demand_mappings.value_or(kDefaultOnDemandMappings);
    return subnet.mappings >= (subnet.on_demand ? limit / 2 : limit);
}

// What has its flows keeps them when the subnet changes over to on demand: whoever ages them takes
// what is not used.
void Model::resolve_programming() {
    for (SubnetRecord* subnet : std::exchange(touched_programming_, {})) {
        if (wants_on_demand(*subnet) == subnet->on_demand) {
            programming_changed_ |= subnet->on_demand;  // It may have another VSID now.
            continue;
        }
        subnet->on_demand = !subnet->on_demand;
        programming_changed_ = true;
        touch(ObjectKind::Subnet, subnet->number);
        const bool before = !on_demand_subnets_.empty();
        if (subnet->on_demand) {
            on_demand_subnets_.insert(subnet);
            for (const auto& [mac, first] : subnet->by_mac) {
                if (committed_ && subnet->in_force &&
                    !touched_.contains({ObjectKind::Mac, subnet->number, mac.bits()})) {
                    if (demandable(subnet->spec->vsid, mac)) {
                        demand(*subnet, mac);
                    }
                }
            }
        } else {
            on_demand_subnets_.erase(subnet);
            demanded_ -= subnet->demanded.size();
            subnet->demanded.clear();
            for (const auto& [mac, first] : subnet->by_mac) {
                touch(ObjectKind::Mac, subnet->number, mac.bits());
            }
        }
        if (before == on_demand_subnets_.empty()) {
            for (const auto& [name, port] : ports_) {
                touch_port(*port);
            }
        }
    }
}

void Model::demand(SubnetRecord& subnet, const MacAddress& mac) {
    demanded_ += subnet.demanded.insert(mac).second ? 1 : 0;
}

std::optional<ObjectId> Model::demandable(std::uint32_t vsid, const MacAddress& mac) const {
    const auto entry = subnets_by_vsid_.find(vsid);
    if (entry == subnets_by_vsid_.end() || entry->second.empty()) {
        return std::nullopt;
    }
    const SubnetRecord& subnet = *entry->second.front();
    const auto first = subnet.by_mac.find(mac);
    if (!subnet.on_demand || first == subnet.by_mac.end()) {
        return std::nullopt;
    }
    const auto& locator = first->second->locator->spec;
    if (!locator || is_local_pa(locator->pa) || !any_in_force(*first->second)) {
        return std::nullopt;  // It has its flows, or never any.
    }
    return ObjectId{ObjectKind::Mac, subnet.number, mac.bits()};
}

std::optional<ObjectId> Model::demandable(std::uint32_t vsid, const IpAddress& ca) const {
    const auto entry = subnets_by_vsid_.find(vsid);
    if (entry == subnets_by_vsid_.end() || entry->second.empty()) {
        return std::nullopt;
    }
    const MappingRecord* owner = owner_of(*entry->second.front(), ca);
    return owner == nullptr ? std::nullopt : demandable(vsid, owner->mac);
}

bool Model::demand(const ObjectId& mac) {
    const auto subnet = subnets_by_number_.find(mac.owner);
    if (subnet == subnets_by_number_.end() || !subnet->second->on_demand ||
        subnet->second->demanded.contains(MacAddress::from_bits(mac.detail))) {
        return false;
    }
    demand(*subnet->second, MacAddress::from_bits(mac.detail));
    touched_demands_.insert(mac);
    return true;
}

void Model::release(const ObjectId& mac) {
    const auto subnet = subnets_by_number_.find(mac.owner);
    if (subnet != subnets_by_number_.end() &&
        subnet->second->demanded.erase(MacAddress::from_bits(mac.detail)) != 0) {
        --demanded_;
        touched_demands_.insert(mac);
    }
}

bool Model::is_demanded(const ObjectId& mac) const {
    const auto subnet = subnets_by_number_.find(mac.owner);
    return subnet != subnets_by_number_.end() &&
           subnet->second->demanded.contains(MacAddress::from_bits(mac.detail));
}

void Model::for_each_on_demand_subnet(
    const std::function<void(std::uint32_t vsid, std::size_t demanded)>& visit) const {
    for (const SubnetRecord* subnet : on_demand_subnets_) {
        if (subnet->in_force) {
            visit(subnet->spec->vsid, subnet->demanded.size());
        }
    }
}

std::vector<ObjectId> Model::demandable_everywhere(const MacAddress& mac) const {
    std::vector<ObjectId> found;
    for (const SubnetRecord* subnet : on_demand_subnets_) {
        if (!subnet->in_force) {
            continue;
        }
        if (const auto id = demandable(subnet->spec->vsid, mac)) {
            found.push_back(*id);
        }
    }
    return found;
}

}  // namespace hnv::policy
