// From rows to policy. One reader for each database; nothing beyond northbound/ knows which
// database a fact came from.
//
// A reader parses one row at a time and puts a spec into the model, or raises a fault and takes the
// row out of the model. It never writes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ovs-integration/ovsdb_server.h"
#include "policy/model.h"

namespace hnv::northbound {

class Reader {
  public:
    virtual ~Reader() = default;
    // The database that it reads.
    [[nodiscard]] virtual std::string_view database() const = 0;
    virtual void on_row(const ovs::RowChange& change) = 0;
};

// A sequence number that a controller asks to be confirmed.
struct SequenceRow {
    std::string_view
        table;  // The one that has next_cfg and cur_cfg: "Global", "FW_Global", "Host".
    Uuid row;
    std::int64_t next = 0;
    std::int64_t current = 0;
};
// Called when next_cfg or cur_cfg of the database changed.
using SequenceSink = std::function<void(std::string_view database, const SequenceRow& row)>;

// "proactive", "on-demand", "auto"; nullopt: none of them.
[[nodiscard]] inline std::optional<policy::Programming> programming_named(std::string_view text) {
    return text == "proactive"   ? std::optional(policy::Programming::Proactive)
           : text == "on-demand" ? std::optional(policy::Programming::OnDemand)
           : text == "auto"      ? std::optional(policy::Programming::Auto)
                                 : std::nullopt;
}

// What the readers share.
class ReaderBase : public Reader {
  public:
    ReaderBase(policy::Model& model, policy::Faults& faults, SequenceSink sequence)
        : model_(model), faults_(faults), sequence_(std::move(sequence)) {}

  protected:
    // The row's spec goes into the model; a fault about its contents, if there was one, goes.
    template <typename Spec>
    void accept(const policy::RowRef& row, policy::FaultKey mended, Spec spec) {
        faults_.set(row, mended, std::nullopt);
        model_.put(row.uuid, std::move(spec));
    }
    // The row can't be realised. What else was wrong with it no longer matters.
    void refuse(const policy::RowRef& row, policy::FaultKey key, const std::string& message) {
        model_.remove(row);
        // The key's own fault is not taken back first: it may be the one that stands already.
        auto fault = faults_.all().lower_bound({row, policy::FaultKey{}});
        while (fault != faults_.all().end() && fault->first.first == row) {
            const policy::FaultKey other = (fault++)->first.second;
            if (other != key) {
                faults_.set(row, other, std::nullopt);
            }
        }
        faults_.set(row, key, message);
    }
    void forget(const policy::RowRef& row) {
        faults_.clear_row(row);
        model_.remove(row);
    }
    void sequence(std::string_view database, std::string_view table, const ovs::RowChange& change) {
        if (change.after) {
            sequence_(database, {table, change.uuid, change.after->integer("next_cfg").value_or(0),
                                 change.after->integer("cur_cfg").value_or(0)});
        }
    }

    policy::Model& model_;
    policy::Faults& faults_;

  private:
    SequenceSink sequence_;
};

}  // namespace hnv::northbound
