#include "northbound/vtep_arp_sources.h"

#include <map>
#include <utility>

#include "northbound/operations.h"

namespace hnv::northbound {

namespace {

constexpr const char* kDatabase = "hardware_vtep";
constexpr const char* kTable = "Arp_Sources_Local";
constexpr const char* kVxlan = "vxlan_over_ipv4";

}  // namespace

void VtepArpSources::write(const MacAddress& router, const std::vector<IpAddress>& addresses) {
    std::set<IpAddress> wanted;
    for (const IpAddress& address : addresses) {
        if (address.is_v4()) {
            wanted.insert(address);
        }
    }
    due_ |= router != router_ || wanted != told_;
    if (!due_) {
        return;
    }
    router_ = router;
    told_ = wanted;

    std::map<Uuid, IpAddress> address_of;
    std::map<IpAddress, Uuid> locators;
    server_.for_each_row(kDatabase, "Physical_Locator", [&](const ovs::Row& row) {
        const auto address = IpAddress::parse(row.string("dst_ip"));
        if (address && row.string("encapsulation_type") == kVxlan) {
            address_of.emplace(row.uuid(), *address);
            locators.emplace(*address, row.uuid());
        }
    });
    Operations operations;
    server_.for_each_row(kDatabase, kTable, [&](const ovs::Row& row) {
        const auto address = address_of.find(row.reference("locator").value_or(Uuid{}));
        const bool right = row.string("src_mac") == router.to_string() &&
                           address != address_of.end() && wanted.erase(address->second) > 0;
        if (!right) {
            operations.remove(kTable, row.uuid());
        }
    });
    for (const IpAddress& address : wanted) {
        Json::Value row;
        row["src_mac"] = router.to_string();
        const auto locator = locators.find(address);
        if (locator != locators.end()) {
            row["locator"] = json_uuid(locator->second);
        } else {
            Json::Value fresh;
            fresh["encapsulation_type"] = kVxlan;
            fresh["dst_ip"] = address.to_string();
            row["locator"] = json_named_uuid(operations.insert("Physical_Locator", fresh));
        }
        operations.insert(kTable, row);
    }
    // Another may have made the same locator meanwhile, and then nothing of this is written: done
    // is what the next look finds done.
    due_ = !operations.empty();
    if (due_) {
        operations.commit(server_, kDatabase, "ARP sources");
    }
}

}  // namespace hnv::northbound
