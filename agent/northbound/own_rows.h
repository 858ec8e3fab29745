// The rows that the agent makes once and keeps: the single row of each database that has one, and
// this host's Physical_Switch.
#pragma once

#include <string>

#include "ovs-integration/ovsdb_server.h"

namespace hnv::northbound {

// Makes what is missing, and gives the Physical_Switch its name.
void ensure_own_rows(ovs::OvsdbServer& server, const std::string& host_name);

}  // namespace hnv::northbound
