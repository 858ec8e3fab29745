// ms_service_insertion: port mirroring, and traffic that goes through an appliance.
#pragma once

#include "northbound/reader.h"

namespace hnv::northbound {

class MsServiceInsertionReader final : public ReaderBase {
  public:
    using ReaderBase::ReaderBase;
    [[nodiscard]] std::string_view database() const override { return "ms_service_insertion"; }
    void on_row(const ovs::RowChange& change) override;

  private:
    void rule(const ovs::RowChange& change);
};

}  // namespace hnv::northbound
