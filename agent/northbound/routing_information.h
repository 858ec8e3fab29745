// SI_Rule.routing_information: key=value items, with spaces or commas between them.
//
//   MirrorSource       direction=in|out|both (both)  port=NAME
//                      direction=in|out|both (both)  destination=PA key=N encapsulation=vxlan|nvgre
//                                                    (vxlan)
//   MirrorDestinaion   key=N from=PA[;PA…]
//   ServiceInsertion   next-hop=CA fail=closed|open (closed)
//
// What schema/ms_service_insertion.xml says of it is the whole definition: there is no other.
#pragma once

#include <string_view>

#include "ovs-integration/result.h"
#include "policy/specs.h"

namespace hnv::northbound {

// The error names the item that can't be read, is not known, is there twice or is missing.
[[nodiscard]] Result<policy::MirrorSourceSpec> parse_mirror_source(std::string_view text);
[[nodiscard]] Result<policy::MirrorDestinationSpec> parse_mirror_destination(std::string_view text);
[[nodiscard]] Result<policy::InsertionSpec> parse_insertion(std::string_view text);

}  // namespace hnv::northbound
