// A row of a database, as it stood at one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "ovs-integration/uuid.h"

struct hnv_ovsdb_row;  // Opaque here.

namespace hnv::ovs {

// Immutable and shared: a copy of a Row is another handle of the same contents, and any thread may
// read and drop it. What it returns as string_view lives as long as one of the handles.
//
// A column that the row's table does not have, or one of another type, reads as empty: a client may
// convert a database under us, and that must not end the agent.
class Row {
  public:
    // Takes the reference over.
    explicit Row(hnv_ovsdb_row* row) : row_(row) {}
    Row(const Row& other);
    Row(Row&& other) noexcept : row_(std::exchange(other.row_, nullptr)) {}
    Row& operator=(Row other) noexcept {
        std::swap(row_, other.row_);
        return *this;
    }
    ~Row();

    [[nodiscard]] std::string_view table() const;
    [[nodiscard]] Uuid uuid() const;
    // Scalars and optionals: the first atom, or empty / nullopt.
    [[nodiscard]] std::string_view string(const char* column) const;
    [[nodiscard]] std::optional<std::int64_t> integer(const char* column) const;
    [[nodiscard]] bool boolean(const char* column) const;
    [[nodiscard]] std::optional<Uuid> reference(const char* column) const;
    // Sets.
    [[nodiscard]] std::vector<std::string_view> strings(const char* column) const;
    [[nodiscard]] std::vector<std::int64_t> integers(const char* column) const;
    [[nodiscard]] std::vector<Uuid> references(const char* column) const;
    // Maps, in key order.
    [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> string_map(
        const char* column) const;
    [[nodiscard]] std::vector<std::pair<std::string_view, Uuid>> reference_map(
        const char* column) const;
    [[nodiscard]] std::vector<std::pair<std::int64_t, Uuid>> integer_reference_map(
        const char* column) const;

  private:
    hnv_ovsdb_row* row_;  // Null only once moved from.
};

}  // namespace hnv::ovs
