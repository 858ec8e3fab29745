// ms_vtep: virtual networks and subnets, mappings, locators, ports.
#pragma once

#include <cstdint>

#include "northbound/reader.h"

namespace hnv::northbound {

class MsVtepReader : public ReaderBase {
  public:
    MsVtepReader(policy::Model& model, policy::Faults& faults, SequenceSink sequence)
        : MsVtepReader(kMsVtep, model, faults, std::move(sequence)) {}
    [[nodiscard]] std::string_view database() const override { return dialect_.database; }
    void on_row(const ovs::RowChange& change) override;

  protected:
    // How the tables that hardware_vtep has as well differ there. A column that it does not have
    // reads as empty.
    struct Dialect {
        std::string_view database;
        std::int64_t min_vsid;
        std::int64_t max_vsid;
        bool vtep;
    };
    MsVtepReader(const Dialect& dialect, policy::Model& model, policy::Faults& faults,
                 SequenceSink sequence)
        : ReaderBase(model, faults, std::move(sequence)), dialect_(dialect) {}

    void subnet(const ovs::RowChange& change);
    void locator(const ovs::RowChange& change);
    void mapping(const ovs::RowChange& change);
    void locator_set(const ovs::RowChange& change);
    void group(const ovs::RowChange& change);
    void port(const ovs::RowChange& change);
    void router(const ovs::RowChange& change);
    // The row of a table that both have, and the model's to know whose it is.
    [[nodiscard]] policy::RowRef row_of(policy::SourceTable ms_table, const ovs::RowChange& change);

  private:
    // VSIDs of Windows' virtual subnets; those below are kept for VLANs.
    static constexpr Dialect kMsVtep{"ms_vtep", 4096, 16777214, false};

    void physical_switch(const ovs::RowChange& change);

    const Dialect dialect_;
};

}  // namespace hnv::northbound
