// Between the databases' words and a policy's values.
//
// value_of() reads a row as what it means, so that two spellings of one value are equal; an error
// says which column holds what cannot be read. row_json() gives the columns that say a value.
#pragma once

#include <json/value.h>

#include <string>
#include <string_view>

#include "cli/database_rows.h"
#include "cli/policy.h"
#include "ovs-integration/result.h"

namespace hnv::cli {

[[nodiscard]] Result<ProviderAddress> value_of(const ProviderAddressRow& row);
[[nodiscard]] Json::Value row_json(const ProviderAddress& value);

[[nodiscard]] PortSettings value_of(const PortSettingsRow& row);
// All columns but the name.
[[nodiscard]] Json::Value row_json(const PortSettings& value);

[[nodiscard]] Acl value_of(const RuleRow& row);
[[nodiscard]] Json::Value row_json(const Acl& value);

// A key of Logical_Router.switch_binding.
[[nodiscard]] Result<RouterBinding> binding_of(std::string_view cidr);
[[nodiscard]] std::string cidr_of(const RouterBinding& binding);

// Physical_Locator.encapsulation_type for tunnels to this address.
[[nodiscard]] std::string encapsulation_type_of(Encapsulation encapsulation, const IpAddress& pa);

// `locator` is the row that `row` refers to, or null; `vsid` that of its logical switch.
[[nodiscard]] Result<Mapping> value_of(const MappingRow& row, const LocatorRow* locator,
                                       std::int64_t vsid);

}  // namespace hnv::cli
