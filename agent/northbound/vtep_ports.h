// Physical_Port rows of hardware_vtep for the interfaces that this host has, so that a controller
// that makes no ports finds them to bind (vtep(5); networking-l2gw and OpenDaylight are such). Only
// if Host.settings:vtep_list_ports says so: others add the ports themselves, by the same names.
//
// A row of the agent's has other_config:made-by. Once a controller has bound it, it is the
// controller's.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "ovs-integration/ovsdb_server.h"
#include "policy/model.h"

namespace hnv::northbound {

class VtepPorts {
  public:
    // `switch_name`: of the Physical_Switch that is this host.
    VtepPorts(ovs::Databases& server, std::string switch_name)
        : server_(server), switch_name_(std::move(switch_name)) {}

    // Brings the rows in line with the model's ports. Costs a look at each.
    void write(const policy::Model& model);
    // Whether they were listed when last written; nullopt: not yet written.
    [[nodiscard]] std::optional<bool> listed() const { return listed_; }

  private:
    [[nodiscard]] std::optional<Uuid> own_switch() const;

    ovs::Databases& server_;
    const std::string switch_name_;
    std::optional<bool> listed_;
};

}  // namespace hnv::northbound
