#include "cli/table.h"

#include <algorithm>

namespace hnv::cli {
namespace {

std::size_t width_of(std::string_view text) {
    // Bytes that do not continue a UTF-8 sequence.
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::string_view escape_of(Style style) {
    switch (style) {
        case Style::Good:
            return "\x1b[32m";
        case Style::Bad:
            return "\x1b[31m";
        case Style::Faint:
            return "\x1b[2m";
        case Style::Heading:
            return "\x1b[1m";
        case Style::Plain:
            break;
    }
    return "";
}

std::string line_of(const std::vector<Cell>& cells, const std::vector<Column>& columns,
                    const std::vector<std::size_t>& widths, bool colour) {
    std::string line;
    std::string gap;  // Not written before it is known that something follows.
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string pad(widths[i] - width_of(cells[i].text), ' ');
        if (columns[i].align == Align::Right) {
            gap += pad;
        }
        if (!cells[i].text.empty()) {
            line += gap + styled(cells[i].text, cells[i].style, colour);
            gap.clear();
        }
        if (columns[i].align == Align::Left) {
            gap += pad;
        }
        gap += "  ";
    }
    return line + "\n";
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(),
        [](char c) {
            const auto byte = static_cast<unsigned char>(c);
            return byte < 0x20 || byte == 0x7f;
        },
        '?');
    return out;
}

std::string styled(std::string_view text, Style style, bool colour) {
    if (!colour || style == Style::Plain) {
        return std::string(text);
    }
    return std::string(escape_of(style)) + std::string(text) + "\x1b[0m";
}

void Table::add_row(std::vector<Cell> cells) {
    for (Cell& cell : cells) {
        cell.text = cell.text.empty() ? "-" : printable(cell.text);
    }
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::text(bool colour) const {
    std::vector<Cell> headings;
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) {
        headings.push_back({column.heading, Style::Heading});
        widths.push_back(width_of(column.heading));
    }
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i].text));
        }
    }
    std::string text = line_of(headings, columns_, widths, colour);
    for (const auto& row : rows_) {
        text += line_of(row, columns_, widths, colour);
    }
    return text;
}

}  // namespace hnv::cli
