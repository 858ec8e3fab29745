// Words of vtep(5) about BFD to those of Open vSwitch (Interface.bfd and bfd_status,
// ovs-vswitchd.conf.db(5)), and back.
//
// Pure functions.
#pragma once

#include <map>
#include <string>

#include "policy/bfd.h"

namespace hnv::northbound {

// The destination of BFD's packets, unless Tunnel.bfd_config_remote says otherwise; ours is
// expected at the same MAC, and at kBfdLocalAddress.
inline constexpr const char* kBfdMac = "00:23:20:00:00:01";
inline constexpr const char* kBfdRemoteAddress = "169.254.1.1";
inline constexpr const char* kBfdLocalAddress = "169.254.1.0";
// A shorter interval is taken for this one: what a controller asks for must not drown the switch.
inline constexpr int kMinBfdIntervalMsec = 20;

// `enable` is true.
[[nodiscard]] bool asks_for_bfd(const std::map<std::string, std::string>& params);

struct BfdSettings {
    std::map<std::string, std::string> settings;  // Of Interface.bfd.
    // The settings that could not be read, for a person; they have their defaults. Empty: none.
    std::string problem;
};
// `params`: Tunnel.bfd_params; `config_remote`: Tunnel.bfd_config_remote. Other keys are passed
// over.
[[nodiscard]] BfdSettings bfd_settings(const std::map<std::string, std::string>& params,
                                       const std::map<std::string, std::string>& config_remote);

// Tunnel.bfd_status; empty while nothing is known.
[[nodiscard]] std::map<std::string, std::string> bfd_status(const policy::BfdState& state);

}  // namespace hnv::northbound
