// ms_vtep: virtual networks and subnets, mappings, locators, ports.
#pragma once

#include "northbound/reader.h"

namespace hnv::northbound {

class MsVtepReader final : public ReaderBase {
  public:
    using ReaderBase::ReaderBase;
    [[nodiscard]] std::string_view database() const override { return "ms_vtep"; }
    void on_row(const ovs::RowChange& change) override;

  private:
    void subnet(const ovs::RowChange& change);
    void router(const ovs::RowChange& change);
    void locator(const ovs::RowChange& change);
    void mapping(const ovs::RowChange& change);
    void locator_set(const ovs::RowChange& change);
    void group(const ovs::RowChange& change);
    void port(const ovs::RowChange& change);
    void physical_switch(const ovs::RowChange& change);
};

}  // namespace hnv::northbound
