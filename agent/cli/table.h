// Aligned tables of text for a person, on a terminal or not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hnv::cli {

enum class Style { Plain, Good, Bad, Faint, Heading };

struct Cell {
    std::string text;
    Style style = Style::Plain;
};

enum class Align { Left, Right };

struct Column {
    std::string heading;
    Align align = Align::Left;
};

// Text as it may go to a terminal: control characters, which a row of a database may hold, become
// '?'. UTF-8 is left alone.
[[nodiscard]] std::string printable(std::string_view text);

// In this style's colour if `colour`, else plain.
[[nodiscard]] std::string styled(std::string_view text, Style style, bool colour);

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Precondition: one cell a column. An empty cell is shown as "-".
    void add_row(std::vector<Cell> cells);

    [[nodiscard]] bool empty() const { return rows_.empty(); }

    // Columns are as wide as their widest cell (by code points), two spaces apart; no line ends in
    // spaces.
    [[nodiscard]] std::string text(bool colour) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace hnv::cli
