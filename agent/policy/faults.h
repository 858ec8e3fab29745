// Rows that can't be realised, and why. One fault for a row and key; the sentence says what to do.
//
// Readers raise faults about what a row says, the model about how rows fit together, the
// southbound about what the switch refused. Whoever raised a fault clears it.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policy/specs.h"

namespace hnv::policy {

// The keys are part of the contract with the operator: documented in schema/hnv_host.xml.
enum class FaultKey : std::uint8_t {
    BadAddress,
    VsidRange,
    VsidDuplicate,
    MappingConflict,
    CaConflict,
    EncapsulationUnsupported,
    PaMissing,
    PortNoAcl,
    PortUnbound,
    PortDuplicate,
    PortAddressUnknown,
    RuleSyntax,
    RulePriority,
    SubnetTwoRouters,
    SubnetVlan,
    RouterKey,
    NextHopUnmapped,
    ReplicationLimit,
    UnderlayMtu,
    AclEntry,
    AclIncomplete,
    AclBinding,
    BadSetting,
    SwitchRejected,
    NatPort,
    NatConflict,
    MirrorTarget,
    PortMacMismatch,
    CaOutside,
    RuleLimit,
    TunnelKey,
    TunnelLimit,
    MacLimit,
    MacFlap,
};
inline constexpr std::array kFaultKeys{
    FaultKey::BadAddress,      FaultKey::VsidRange,          FaultKey::VsidDuplicate,
    FaultKey::MappingConflict, FaultKey::CaConflict,         FaultKey::EncapsulationUnsupported,
    FaultKey::PaMissing,       FaultKey::PortNoAcl,          FaultKey::PortUnbound,
    FaultKey::PortDuplicate,   FaultKey::PortAddressUnknown, FaultKey::RuleSyntax,
    FaultKey::RulePriority,    FaultKey::SubnetTwoRouters,   FaultKey::SubnetVlan,
    FaultKey::RouterKey,       FaultKey::NextHopUnmapped,    FaultKey::ReplicationLimit,
    FaultKey::UnderlayMtu,     FaultKey::AclEntry,           FaultKey::AclIncomplete,
    FaultKey::AclBinding,      FaultKey::SwitchRejected,     FaultKey::NatPort,
    FaultKey::NatConflict,     FaultKey::MirrorTarget,       FaultKey::BadSetting,
    FaultKey::PortMacMismatch, FaultKey::CaOutside,          FaultKey::RuleLimit,
    FaultKey::TunnelKey,       FaultKey::TunnelLimit,        FaultKey::MacLimit,
    FaultKey::MacFlap,
};
[[nodiscard]] const char* to_string(FaultKey key);
// The row is in conflict with another that was there before it: which of the two is in force must
// not change when the agent starts again.
[[nodiscard]] bool is_conflict(FaultKey key);

class Faults {
  public:
    using Id = std::pair<RowRef, FaultKey>;

    // Raises the fault, or changes its message, or clears it (nullopt).
    void set(const RowRef& row, FaultKey key, std::optional<std::string> message);
    // The row is gone, and all its faults with it.
    void clear_row(const RowRef& row);

    [[nodiscard]] const std::map<Id, std::string>& all() const { return faults_; }
    // The faults raised, changed or cleared since the last call.
    [[nodiscard]] std::vector<Id> take_changes();

  private:
    std::map<Id, std::string> faults_;
    std::set<Id> changed_;
};

}  // namespace hnv::policy
