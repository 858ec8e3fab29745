// OpenFlow flows as a person reads them: the agent's registers, marks and tables by what they mean.
//
// Pure. Matches and actions are given in ovs-ofctl's words, as ofproto/trace and a flow's to_text()
// have them; what is not known stays in these words.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ovs-integration/flow.h"

namespace hnv::cli {

// What numbers in flows stand for.
struct Names {
    std::map<std::uint32_t, std::string> ports;          // By OpenFlow port.
    std::map<std::uint32_t, std::string> networks;       // By the network's key.
    std::map<std::uint64_t, std::string> port_tells;     // By the 48 bits in a cookie.
    std::map<std::uint64_t, std::string> address_tells;  // The same of addresses and rules' ids.
    std::map<std::uint64_t, std::string> rule_tells;

    // "app"; of an unknown one "port 7".
    [[nodiscard]] std::string port(std::uint32_t ofport) const;
    [[nodiscard]] std::string network(std::uint32_t key) const;
};

struct FlowText {
    std::string match;    // "tcp,reg1=0x3,tp_dst=80"
    std::string actions;  // "goto_table:5"
};
[[nodiscard]] FlowText text_of(const ovs::Flow& flow);

// "TCP, sent by app, to port 80"; of a match on nothing "any". What says `about`, the OpenFlow port
// that the reader asked for, is left out; 0: none.
[[nodiscard]] std::string condition_words(std::string_view match, const Names& names,
                                          std::uint32_t about = 0);

// "VSID 5002, TTL - 1, to router"; of no actions "drop".
[[nodiscard]] std::string action_list_words(std::string_view actions, const Names& names);
// The same of a flow of this table, where that means more.
[[nodiscard]] std::string action_list_words(unsigned table, std::string_view match,
                                            std::string_view actions, const Names& names);
// One action; empty if it is of no interest to a person.
[[nodiscard]] std::string action_word(std::string_view action, const Names& names);

// Of what a match takes: "IPv4", "IPv6", "ARP", "any".
[[nodiscard]] std::string_view family_of(std::string_view match);

// Who owns a flow: "port app", "subnet 5001", "mac 00:15:…", "" if it is not the agent's.
[[nodiscard]] std::string owner_words(std::uint64_t cookie, const Names& names);

// Whether a flow only passes every packet on to a table: nothing is decided there.
[[nodiscard]] bool passes_on(std::string_view match, const std::vector<std::string>& actions);

}  // namespace hnv::cli
