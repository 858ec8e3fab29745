// ms_firewall: per-port rules in two layers.
#pragma once

#include "northbound/reader.h"

namespace hnv::northbound {

class MsFirewallReader final : public ReaderBase {
  public:
    using ReaderBase::ReaderBase;
    [[nodiscard]] std::string_view database() const override { return "ms_firewall"; }
    void on_row(const ovs::RowChange& change) override;

  private:
    void rule(const ovs::RowChange& change);
};

}  // namespace hnv::northbound
