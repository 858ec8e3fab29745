// ms_darv: the guests' adapters and their addresses.
#pragma once

#include "northbound/reader.h"

namespace hnv::northbound {

class MsDarvReader final : public ReaderBase {
  public:
    using ReaderBase::ReaderBase;
    [[nodiscard]] std::string_view database() const override { return "ms_darv"; }
    void on_row(const ovs::RowChange& change) override;

  private:
    void adapter(const ovs::RowChange& change);
    void address(const ovs::RowChange& change);
};

}  // namespace hnv::northbound
