#include "cli/text_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hnv::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TextList, CommasWithinBracketsDoNotSplit) {
    EXPECT_THAT(split_list("a, b(c,d(e,f)),g"), ElementsAre("a", "b(c,d(e,f))", "g"));
    EXPECT_THAT(split_list(""), IsEmpty());
    EXPECT_THAT(split_list(",,"), IsEmpty());
}

TEST(TextList, BracketsThatDoNotMatchAreNoTrouble) {
    EXPECT_THAT(split_list("a(b,c"), ElementsAre("a(b,c"));
    EXPECT_THAT(split_list("a),b"), ElementsAre("a)", "b"));
    EXPECT_EQ(call_of("ct(zone=4").argument, "zone=4");
}

TEST(TextList, CallsAndPairs) {
    EXPECT_EQ(call_of("eth(src=1,dst=2)").name, "eth");
    EXPECT_EQ(call_of("eth(src=1,dst=2)").argument, "src=1,dst=2");
    EXPECT_FALSE(call_of("drop").has_brackets);
    EXPECT_EQ(pair_of("a=b=c").first, "a");
    EXPECT_EQ(pair_of("a=b=c").second, "b=c");
    EXPECT_EQ(pair_of("ip").second, "");
    EXPECT_EQ(masked("8/0").first, "8");
    EXPECT_EQ(masked("8/0").second, "0");
}

TEST(TextList, NumbersAreWholeOrNothing) {
    EXPECT_EQ(number_in("12"), 12U);
    EXPECT_EQ(number_in("0x1389"), 5001U);
    EXPECT_EQ(number_in("12x"), std::nullopt);
    EXPECT_EQ(number_in("0x"), std::nullopt);
    EXPECT_EQ(number_in(""), std::nullopt);
    EXPECT_EQ(number_in("-1"), std::nullopt);
    EXPECT_EQ(number_in("99999999999999999999999"), std::nullopt);
}

TEST(TextList, BetweenNeedsBothMarks) {
    EXPECT_EQ(between("recirc(0x7) - resume", "(", ")"), "0x7");
    EXPECT_EQ(between("recirc(0x7", "(", ")"), std::nullopt);
    EXPECT_EQ(between("recirc", "(", ")"), std::nullopt);
}

}  // namespace
}  // namespace hnv::cli
