#include <gtest/gtest.h>

#include "shim/policy/diagnostic.h"
#include "shim/policy/wording.h"

namespace ration::policy {
namespace {

TEST(Wording, DiagnosticsLeaveOutWhatIsZero) {
    EXPECT_EQ(format({{"f.toml", 3, 7}, "wrong"}), "f.toml:3:7: wrong");
    EXPECT_EQ(format({{"f.toml", 3, 0}, "wrong"}), "f.toml:3: wrong");
    EXPECT_EQ(format({{"f.toml", 0, 0}, "wrong"}), "f.toml: wrong");
    EXPECT_EQ(format({{}, "wrong"}), "wrong");
}

TEST(Wording, WhatIsQuotedStaysOneShortLine) {
    EXPECT_EQ(quote("a\nb\x1b[0m\x7f"), "\"a\\x0ab\\x1b[0m\\x7f\"");
    EXPECT_EQ(quote(std::string_view("a\0b", 3)), "\"a\\x00b\"");
    EXPECT_EQ(quote(std::string(100, 'x')), '"' + std::string(60, 'x') + "...\"");
    // Not in the middle of a character.
    EXPECT_EQ(quote(std::string(59, 'x') + "\u00e9y"), '"' + std::string(59, 'x') + "...\"");
    EXPECT_EQ(one_line("\x80\x80\x80", 2), "...");
}

TEST(Wording, NumbersHaveAtMostTwoDecimals) {
    EXPECT_EQ(decimal(110), "110");
    EXPECT_EQ(decimal(33.5), "33.5");
    EXPECT_EQ(decimal(100.0 / 3), "33.33");
    EXPECT_EQ(decimal(0.05), "0.05");
    EXPECT_EQ(decimal(0), "0");
}

TEST(Wording, ASwapOfNeighboursIsOneEdit) {
    EXPECT_EQ(edits("share", "share"), 0U);
    EXPECT_EQ(edits("share", "shar"), 1U);
    EXPECT_EQ(edits("share", "shaer"), 1U);
    EXPECT_EQ(edits("share", "Share"), 0U);
    EXPECT_EQ(edits("", "abc"), 3U);
    EXPECT_EQ(edits("kitten", "sitting"), 3U);
}

TEST(Wording, TheNearestWordIsSuggestedIfItIsNear) {
    const std::vector<std::string> keys{"share", "sm", "memory", "device"};
    EXPECT_EQ(nearest("shar", keys), "share");
    EXPECT_EQ(nearest("MEMROY", keys), "memory");
    EXPECT_EQ(nearest("xyz", keys), "");
    EXPECT_EQ(nearest("mn", keys), "");
    EXPECT_EQ(nearest("", keys), "");
    EXPECT_EQ(nearest(std::string(100000, 'a'), {std::string(100000, 'a')}), "");
    EXPECT_EQ(suggestion("shar", keys), " (did you mean \"share\"?)");
    EXPECT_EQ(suggestion("zzz", keys), "");
}

}  // namespace
}  // namespace ration::policy
