// The ACLs of ports: see rule_book.h.
#include "policy/model.h"

namespace hnv::policy {

void Model::put(const Uuid& row, RuleSpec spec) {
    PortRecord& port = port_record(spec.port);
    rules_.plug(port.name, port.interface ? port.interface->ofport : 0);
    rules_.put(row, std::move(spec));
}

// Ports are touched, and so resolved, whose ACL may be another.
void Model::resolve_rules() {
    std::set<std::string> ports;
    for (const ObjectId& id : rules_.resolve(ports)) {
        touched_.insert(id);
    }
    for (const std::string& name : ports) {
        PortRecord& port = port_record(name);
        port.rules = rules_.count(name);
        touch_port(port);
    }
}

std::optional<RulesView> Model::rules(const ObjectId& id) const { return rules_.view(id); }

std::vector<RuleSpec> Model::rules_in_force(const std::string& port) const {
    return rules_.in_force(port);
}

}  // namespace hnv::policy
