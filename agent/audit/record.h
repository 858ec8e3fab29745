// One line of the audit log: what a firewall rule decided of a new flow.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "audit/flow_tuple.h"
#include "pipeline/audit_userdata.h"

namespace hnv::audit {

struct Record {
    std::chrono::system_clock::time_point time;
    pipeline::AuditUserdata decision;
    std::string port;  // Its name.
    std::uint32_t vsid = 0;
    FlowTuple flow;
    // Further packets of the same flow and decision since the last record of it.
    std::uint64_t repeats = 0;
};

// A JSON object (RFC 8259) on one line, with its newline. The keys, in this order:
//   time          RFC 3339, UTC, in microseconds
//   rule          FW_Rules.rule_id
//   layer         "admin" or "controller"
//   port          FW_Rules.vnic_id, as the agent knows it
//   direction     "Outbound" or "Inbound"
//   verdict       "Allow" or "Block"
//   vsid          the virtual subnet that the packet was in
//   protocol      "TCP", "UDP", "SCTP", "ICMP", "ICMPv6" or a number, as text
//   src_ip, dst_ip
//   src_port, dst_port     only of protocols that have ports
//   icmp_type, icmp_code   only of ICMP and ICMPv6
//   repeats       only if not 0
[[nodiscard]] std::string to_line(const Record& record);

}  // namespace hnv::audit
