#include "ovs-integration/uuid.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace hnv {
namespace {

TEST(Uuid, TextFormIsInverseOfParse) {
    const std::string text = "01234567-89ab-cdef-0123-456789abcdef";
    const auto uuid = Uuid::parse(text);
    ASSERT_TRUE(uuid);
    EXPECT_EQ(uuid->parts[0], 0x01234567U);
    EXPECT_EQ(uuid->parts[1], 0x89abcdefU);
    EXPECT_EQ(uuid->parts[2], 0x01234567U);
    EXPECT_EQ(uuid->parts[3], 0x89abcdefU);
    EXPECT_EQ(uuid->to_string(), text);
}

TEST(Uuid, UpperCaseIsReadAndWrittenLower) {
    const auto uuid = Uuid::parse("01234567-89AB-CDEF-0123-456789ABCDEF");
    ASSERT_TRUE(uuid);
    EXPECT_EQ(uuid->to_string(), "01234567-89ab-cdef-0123-456789abcdef");
}

TEST(Uuid, ZeroIsZero) {
    EXPECT_TRUE(Uuid().is_zero());
    EXPECT_EQ(Uuid().to_string(), "00000000-0000-0000-0000-000000000000");
    EXPECT_FALSE(Uuid({0, 0, 0, 1}).is_zero());
}

TEST(Uuid, WhatIsNoUuidIsRefused) {
    for (const char* text : {
             "",
             "01234567",
             "01234567-89ab-cdef-0123-456789abcde",
             "01234567-89ab-cdef-0123-456789abcdef0",
             "01234567089ab-cdef-0123-456789abcdef",
             "0123456--89ab-cdef-0123-456789abcdef",
             "g1234567-89ab-cdef-0123-456789abcdef",
             "{1234567-89ab-cdef-0123-456789abcde}",
             " 1234567-89ab-cdef-0123-456789abcdef",
         }) {
        EXPECT_FALSE(Uuid::parse(text)) << text;
    }
}

TEST(Uuid, EqualOnesHashAlikeAndOthersDiffer) {
    std::unordered_set<Uuid> seen;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        EXPECT_TRUE(seen.insert(Uuid({i, 0, 0, 0})).second);
        EXPECT_TRUE(seen.insert(Uuid({0, 0, 0, i + 1})).second);
    }
    EXPECT_FALSE(seen.insert(Uuid({7, 0, 0, 0})).second);
}

}  // namespace
}  // namespace hnv
