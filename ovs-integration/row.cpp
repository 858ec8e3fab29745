#include "ovs-integration/row.h"

#include "ovs-integration/ovsdb_shim.h"

namespace hnv::ovs {

namespace {

Uuid atom_uuid(const void* atoms, std::size_t i) {
    Uuid uuid;
    hnv_ovsdb_atom_uuid(atoms, i, uuid.parts.data());
    return uuid;
}

// One value for each element of a set, or for each pair of a map.
template <typename Make>
auto collect(const hnv_ovsdb_cell& cell, Make make) {
    std::vector<decltype(make(std::size_t{0}))> out;
    out.reserve(cell.n);
    for (std::size_t i = 0; i < cell.n; ++i) {
        out.push_back(make(i));
    }
    return out;
}

}  // namespace

Row::Row(const Row& other) : row_(other.row_) { hnv_ovsdb_row_ref(row_); }

Row::~Row() { hnv_ovsdb_row_unref(row_); }

std::string_view Row::table() const { return hnv_ovsdb_row_table_name(row_); }

Uuid Row::uuid() const {
    Uuid uuid;
    hnv_ovsdb_row_uuid(row_, uuid.parts.data());
    return uuid;
}

std::string_view Row::string(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_STRING, HNV_OVSDB_NONE);
    return cell.n == 0 ? std::string_view() : hnv_ovsdb_atom_string(cell.keys, 0);
}

std::optional<std::int64_t> Row::integer(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_INTEGER, HNV_OVSDB_NONE);
    return cell.n == 0 ? std::nullopt : std::optional(hnv_ovsdb_atom_integer(cell.keys, 0));
}

bool Row::boolean(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_BOOLEAN, HNV_OVSDB_NONE);
    return cell.n != 0 && hnv_ovsdb_atom_boolean(cell.keys, 0);
}

std::optional<Uuid> Row::reference(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_UUID, HNV_OVSDB_NONE);
    return cell.n == 0 ? std::nullopt : std::optional(atom_uuid(cell.keys, 0));
}

std::vector<std::string_view> Row::strings(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_STRING, HNV_OVSDB_NONE);
    return collect(
        cell, [&](std::size_t i) { return std::string_view(hnv_ovsdb_atom_string(cell.keys, i)); });
}

std::vector<std::int64_t> Row::integers(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_INTEGER, HNV_OVSDB_NONE);
    return collect(cell, [&](std::size_t i) { return hnv_ovsdb_atom_integer(cell.keys, i); });
}

std::vector<Uuid> Row::references(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_UUID, HNV_OVSDB_NONE);
    return collect(cell, [&](std::size_t i) { return atom_uuid(cell.keys, i); });
}

std::vector<std::pair<std::string_view, std::string_view>> Row::string_map(
    const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_STRING, HNV_OVSDB_STRING);
    return collect(cell, [&](std::size_t i) {
        return std::pair(std::string_view(hnv_ovsdb_atom_string(cell.keys, i)),
                         std::string_view(hnv_ovsdb_atom_string(cell.values, i)));
    });
}

std::vector<std::pair<std::string_view, Uuid>> Row::reference_map(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_STRING, HNV_OVSDB_UUID);
    return collect(cell, [&](std::size_t i) {
        return std::pair(std::string_view(hnv_ovsdb_atom_string(cell.keys, i)),
                         atom_uuid(cell.values, i));
    });
}

std::vector<std::pair<std::int64_t, Uuid>> Row::integer_reference_map(const char* column) const {
    const auto cell = hnv_ovsdb_row_cell(row_, column, HNV_OVSDB_INTEGER, HNV_OVSDB_UUID);
    return collect(cell, [&](std::size_t i) {
        return std::pair(hnv_ovsdb_atom_integer(cell.keys, i), atom_uuid(cell.values, i));
    });
}

}  // namespace hnv::ovs
