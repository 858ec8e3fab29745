// hardware_vtep, the VTEP schema of Open vSwitch (vtep(5)): logical switches and routers, mappings,
// ports and their access control lists. MACs are not learned from traffic: a port is reached by the
// MAC that its interface tells (external_ids:attached-mac).
#pragma once

#include "northbound/ms_vtep_reader.h"

namespace hnv::northbound {

class HardwareVtepReader final : public MsVtepReader {
  public:
    HardwareVtepReader(policy::Model& model, policy::Faults& faults, SequenceSink sequence)
        : MsVtepReader(kHardwareVtep, model, faults, std::move(sequence)) {}
    void on_row(const ovs::RowChange& change) override;

  private:
    // RFC 7348: any VNI of 24 bits; 0 is left out, as the schema has it.
    static constexpr Dialect kHardwareVtep{"hardware_vtep", 1, 16777215, true};

    void logical_router(const ovs::RowChange& change);
    void acl(const ovs::RowChange& change);
    void forget_learned(const ovs::RowChange& change);
    void acl_entry(const ovs::RowChange& change);
};

}  // namespace hnv::northbound
