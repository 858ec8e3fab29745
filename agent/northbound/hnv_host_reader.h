// hnv_host: provider addresses, per-port settings and NAT.
#pragma once

#include "northbound/reader.h"

namespace hnv::northbound {

class HnvHostReader final : public ReaderBase {
  public:
    using ReaderBase::ReaderBase;
    [[nodiscard]] std::string_view database() const override { return "hnv_host"; }
    void on_row(const ovs::RowChange& change) override;

  private:
    void settings(const ovs::RowChange& change);
    void provider_address(const ovs::RowChange& change);
    void port_settings(const ovs::RowChange& change);
    void nat(const ovs::RowChange& change);
};

}  // namespace hnv::northbound
