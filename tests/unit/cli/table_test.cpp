#include "cli/table.h"

#include <gtest/gtest.h>

namespace hnv::cli {
namespace {

TEST(Table, AlignsColumnsAndEndsNoLineInSpaces) {
    Table table({{"NAME"}, {"RULES", Align::Right}, {"REASON"}});
    table.add_row({{"contoso-sql"}, {"2"}, {""}});
    table.add_row({{"x"}, {"100000"}, {"no ACL"}});
    EXPECT_EQ(table.text(false),
              "NAME          RULES  REASON\n"
              "contoso-sql       2  -\n"
              "x            100000  no ACL\n");
}

TEST(Table, CountsCodePoints) {
    Table table({{"A"}, {"B"}});
    table.add_row({{"größe"}, {"1"}});
    table.add_row({{"12345"}, {"2"}});
    EXPECT_EQ(table.text(false), "A      B\ngröße  1\n12345  2\n");
}

TEST(Table, ColourTakesNoWidth) {
    Table table({{"S"}, {"B"}});
    table.add_row({{"up", Style::Good}, {"x"}});
    EXPECT_EQ(table.text(true), "\x1b[1mS\x1b[0m   \x1b[1mB\x1b[0m\n\x1b[32mup\x1b[0m  x\n");
}

TEST(Table, ControlCharactersDoNotReachTheTerminal) {
    Table table({{"A"}});
    table.add_row({{"a\x1b[2Jb\n"}});
    EXPECT_EQ(table.text(false), "A\na?[2Jb?\n");
}

}  // namespace
}  // namespace hnv::cli
