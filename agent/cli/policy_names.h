// The policy file's words for enumerations, shared by its parser and its writer.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "cli/policy.h"

namespace hnv::cli {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<std::string_view, Enum>, N>;

inline constexpr Names<Encapsulation, 2> kEncapsulationNames{
    {{"vxlan", Encapsulation::Vxlan}, {"nvgre", Encapsulation::Nvgre}}};
inline constexpr Names<MappingType, 3> kMappingTypeNames{
    {{"default", MappingType::Default},
     {"learning_disabled", MappingType::LearningDisabled},
     {"load_balanced", MappingType::LoadBalanced}}};
inline constexpr Names<AclLayer, 2> kAclLayerNames{
    {{"controller", AclLayer::Controller}, {"admin", AclLayer::Admin}}};
inline constexpr Names<AclDirection, 2> kAclDirectionNames{
    {{"inbound", AclDirection::Inbound}, {"outbound", AclDirection::Outbound}}};
inline constexpr Names<AclAction, 2> kAclActionNames{
    {{"allow", AclAction::Allow}, {"block", AclAction::Block}}};

// Precondition: `value` is in `names`.
template <typename Enum, std::size_t N>
[[nodiscard]] constexpr std::string_view name_of(Enum value, const Names<Enum, N>& names) {
    for (const auto& [name, candidate] : names) {
        if (candidate == value) {
            return name;
        }
    }
    return {};
}

}  // namespace hnv::cli
