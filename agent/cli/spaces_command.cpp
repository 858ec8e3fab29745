// hnvctl spaces: the address spaces of this host, those of the tenants and that of the provider.
#include <map>
#include <set>

#include "cli/host_facts.h"
#include "cli/operator_commands.h"

namespace hnv::cli {
namespace {

Json::Value subnet_json(const SubnetFacts& subnet, const HostFacts& facts) {
    Json::Value one;
    one["vsid"] = subnet.vsid;
    one["name"] = subnet.name;
    one["prefixes"] = Json::Value(Json::arrayValue);
    for (const SubnetPrefix& prefix : subnet.prefixes) {
        Json::Value entry;
        entry["prefix"] = prefix.prefix.to_string();
        entry["gateway"] = prefix.gateway.to_string();
        one["prefixes"].append(entry);
    }
    unsigned mappings = 0;
    for (const CaMapping& mapping : facts.mappings) {
        mappings += mapping.vsid == subnet.vsid ? 1 : 0;
    }
    one["mappings"] = mappings;
    one["ports"] = Json::Value(Json::arrayValue);
    for (const LocalPort& port : facts.ports) {
        for (const BoundSubnet& bound : port.subnets) {
            if (bound.vsid == subnet.vsid) {
                one["ports"].append(port.name);
            }
        }
    }
    return one;
}

Json::Value networks_json(const HostFacts& facts) {
    // By the network's number in the switch: two networks may have one id in the policy.
    std::map<std::uint32_t, Json::Value> networks;
    for (const SubnetFacts& subnet : facts.subnets) {
        Json::Value& network = networks[subnet.network];
        if (network.isNull()) {
            network["network"] = subnet.network;
            network["rdid"] = subnet.rdid;
            network["router"] = subnet.router;
            network["routed"] = subnet.routed;
            network["subnets"] = Json::Value(Json::arrayValue);
        }
        network["subnets"].append(subnet_json(subnet, facts));
    }
    Json::Value list(Json::arrayValue);
    for (auto& [key, network] : networks) {
        list.append(std::move(network));
    }
    return list;
}

Json::Value provider_json(const HostFacts& facts, const Json::Value& addresses) {
    struct Peer {
        unsigned mappings = 0;
        std::set<std::string> encapsulations;
        std::set<std::uint32_t> vsids;
    };
    std::map<IpAddress, Peer> peers;
    for (const CaMapping& mapping : facts.mappings) {
        if (mapping.pa && !mapping.local) {
            Peer& peer = peers[*mapping.pa];
            ++peer.mappings;
            peer.encapsulations.insert(mapping.encapsulation);
            peer.vsids.insert(mapping.vsid);
        }
    }
    Json::Value space;
    space["addresses"] = addresses;
    space["peers"] = Json::Value(Json::arrayValue);
    for (const auto& [pa, peer] : peers) {
        Json::Value one;
        one["address"] = pa.to_string();
        one["mappings"] = peer.mappings;
        one["encapsulations"] = Json::Value(Json::arrayValue);
        for (const std::string& encapsulation : peer.encapsulations) {
            one["encapsulations"].append(encapsulation);
        }
        one["vsids"] = Json::Value(Json::arrayValue);
        for (const std::uint32_t vsid : peer.vsids) {
            one["vsids"].append(vsid);
        }
        space["peers"].append(one);
    }
    return space;
}

}  // namespace

Result<Json::Value> spaces(const Arguments& arguments) {
    auto facts = gather(arguments);
    if (!facts) {
        return facts.error();
    }
    if (Status mappings = fetch_mappings(arguments, *facts); !mappings) {
        return mappings.error();
    }
    const auto addresses = ask_agent(arguments, "hnv/provider-addresses");
    if (!addresses) {
        return addresses.error();
    }
    Json::Value result;
    result["distributed_router_mac"] = facts->router_mac.to_string();
    result["virtual_networks"] = networks_json(*facts);
    result["provider_space"] = provider_json(*facts, *addresses);
    return result;
}

}  // namespace hnv::cli
