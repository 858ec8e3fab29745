// next_cfg → cur_cfg: a controller's number is confirmed once the switch has acknowledged every
// change that was committed up to it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "northbound/reader.h"

namespace hnv::northbound {

struct SequenceStatus {
    std::int64_t next = 0;
    std::int64_t current = 0;
};

class Sequences {
  public:
    explicit Sequences(ovs::Databases& server) : server_(server) {}

    // A transaction brought this row.
    void on_row(std::string_view database, const SequenceRow& row);
    // The transaction is part of southbound change `number`.
    void on_applied(std::string_view database, std::uint64_t number);
    // The switch has acknowledged every change up to `number`: writes what that confirms.
    void on_confirmed(std::uint64_t number);
    // What was written may not have been taken: on_confirmed() writes it once more.
    void write_again();

    [[nodiscard]] SequenceStatus status(std::string_view database) const;

  private:
    struct Sequence {
        SequenceRow row;
        bool waiting = false;      // For on_confirmed() to reach `number`.
        std::uint64_t number = 0;  // 0: not applied yet.
    };

    ovs::Databases& server_;
    std::map<std::string, Sequence, std::less<>> sequences_;
};

}  // namespace hnv::northbound
