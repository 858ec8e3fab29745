#include "northbound/sequence.h"

#include "northbound/operations.h"

namespace hnv::northbound {

void Sequences::on_row(std::string_view database, const SequenceRow& row) {
    Sequence& sequence = sequences_[std::string(database)];
    const bool asked = row.next != row.current;
    if (asked && (row.next != sequence.row.next || !sequence.waiting)) {
        sequence.number = 0;
    }
    sequence.waiting = asked;
    sequence.row = row;
}

void Sequences::on_applied(std::string_view database, std::uint64_t number) {
    const auto sequence = sequences_.find(database);
    if (sequence != sequences_.end() && sequence->second.waiting && sequence->second.number == 0) {
        sequence->second.number = number;
    }
}

void Sequences::on_confirmed(std::uint64_t number) {
    for (auto& [database, sequence] : sequences_) {
        if (!sequence.waiting || sequence.number == 0 || sequence.number > number) {
            continue;
        }
        Operations operations;
        Json::Value row;
        row["cur_cfg"] = Json::Int64{sequence.row.next};
        operations.update(std::string(sequence.row.table), sequence.row.row, row);
        // The write is heard as a row with next == current.
        operations.commit(server_, database, "cur_cfg");
        sequence.waiting = false;
        sequence.row.current = sequence.row.next;
    }
}

void Sequences::write_again() {
    for (auto& [database, sequence] : sequences_) {
        sequence.waiting |= sequence.number != 0;
    }
}

SequenceStatus Sequences::status(std::string_view database) const {
    const auto sequence = sequences_.find(database);
    return sequence == sequences_.end()
               ? SequenceStatus{}
               : SequenceStatus{sequence->second.row.next, sequence->second.row.current};
}

}  // namespace hnv::northbound
