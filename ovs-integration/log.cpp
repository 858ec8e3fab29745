#include "ovs-integration/log.h"

#include "ovs-integration/ovs_headers.h"

VLOG_DEFINE_THIS_MODULE(hnv);

namespace {

// A guest or a peer can make some messages come often: each level has a budget.
struct vlog_rate_limit info_limit = VLOG_RATE_LIMIT_INIT(60, 600);
struct vlog_rate_limit warn_limit = VLOG_RATE_LIMIT_INIT(60, 600);

}  // namespace

namespace hnv::log {

void info(const char* module, const std::string& message) {
    VLOG_INFO_RL(&info_limit, "%s: %s", module, message.c_str());
}

void warn(const char* module, const std::string& message) {
    VLOG_WARN_RL(&warn_limit, "%s: %s", module, message.c_str());
}

void error(const char* module, const std::string& message) {
    VLOG_ERR("%s: %s", module, message.c_str());
}

}  // namespace hnv::log
