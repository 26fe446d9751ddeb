#include <fnmatch.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "shim/policy/glob.h"

namespace ration::policy {
namespace {

TEST(Glob, StarsCrossSlashesAndLeadingDots) {
    EXPECT_TRUE(glob_matches("*/python3*", "/usr/bin/python3.11"));
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("*", "/a/.b"));
    EXPECT_TRUE(glob_matches("**a**", "xxaxx"));
    EXPECT_TRUE(glob_matches("a*b*c", "a-b-b-c"));
    EXPECT_FALSE(glob_matches("a*b*c", "a-b-b-d"));
    EXPECT_FALSE(glob_matches("", "a"));
    EXPECT_TRUE(glob_matches("", ""));
    EXPECT_FALSE(glob_matches("abc", "abcd"));
    EXPECT_FALSE(glob_matches("abcd", "abc"));
}

TEST(Glob, BracketsHaveRangesClassesAndNegation) {
    EXPECT_TRUE(glob_matches("node[0-9]", "node7"));
    EXPECT_FALSE(glob_matches("node[0-9]", "nodex"));
    EXPECT_TRUE(glob_matches("[!a-c]", "d"));
    EXPECT_TRUE(glob_matches("[^a-c]", "d"));
    EXPECT_FALSE(glob_matches("[!a-c]", "b"));
    EXPECT_TRUE(glob_matches("[]]", "]"));
    EXPECT_TRUE(glob_matches("[!]]", "a"));
    EXPECT_TRUE(glob_matches("[a-]", "-"));
    EXPECT_TRUE(glob_matches("[[:digit:][:upper:]]", "Q"));
    EXPECT_FALSE(glob_matches("[[:digit:][:upper:]]", "q"));
    EXPECT_TRUE(glob_matches("[\\]]", "]"));
    EXPECT_TRUE(glob_matches("[/]", "/"));
    EXPECT_FALSE(glob_matches("[a]", ""));
}

TEST(Glob, WhatIsNeverClosedStandsForItself) {
    EXPECT_TRUE(glob_matches("[abc", "[abc"));
    EXPECT_FALSE(glob_matches("[abc", "a"));
    EXPECT_TRUE(glob_matches("*[", "x["));
    EXPECT_TRUE(glob_matches("[[:alpha:", "[[:alpha:"));
}

TEST(Glob, BackslashesMakeLiterals) {
    EXPECT_TRUE(glob_matches("\\*", "*"));
    EXPECT_FALSE(glob_matches("\\*", "x"));
    EXPECT_TRUE(glob_matches("\\\\", "\\"));
    EXPECT_TRUE(glob_matches("\\[a]", "[a]"));
}

TEST(Glob, ACharacterIsACodePointOrAByteThatIsNone) {
    EXPECT_TRUE(glob_matches("?", "\u00e9"));
    EXPECT_FALSE(glob_matches("??", "\u00e9"));
    EXPECT_FALSE(glob_matches("*??", "\u00e9"));
    EXPECT_TRUE(glob_matches("[\u00e0-\u00ff]", "\u00e9"));
    EXPECT_TRUE(glob_matches("?", "\xff"));
    EXPECT_TRUE(glob_matches("a?b",
                             "a\xe9"
                             "b"));
    // The byte e9 is not the character U+00E9.
    EXPECT_FALSE(glob_matches("\u00e9", "\xe9"));
    EXPECT_FALSE(glob_matches("[\u00e9]", "\xe9"));
    EXPECT_TRUE(glob_matches("\xe9", "\xe9"));
}

TEST(Glob, TextMayHoldNulBytes) {
    EXPECT_TRUE(glob_matches("a*b", std::string_view("a\0b", 3)));
    EXPECT_FALSE(glob_matches("a", std::string_view("a\0", 2)));
}

// Globs and texts over a small alphabet, where every rule meets every other. The C library's answer
// is the reference, except where a "[" is never closed or a class name is none: those it leaves
// open.
TEST(Glob, AgreesWithTheCLibrary) {
    std::mt19937 random(20240229);
    const char* parts[] = {"a",    "b",     "-",   "*",   "?",          "[ab]",
                           "[!a]", "[a-b]", "\\*", "[*]", "[[:alpha:]]"};
    const char letters[] = {'a', 'b', '-', '*', ']', '!'};
    int matched = 0;
    for (int i = 0; i < 200000; ++i) {
        std::string glob;
        std::string text;
        for (unsigned n = random() % 7; n > 0; --n) glob += parts[random() % std::size(parts)];
        for (unsigned n = random() % 7; n > 0; --n) text += letters[random() % std::size(letters)];
        const bool expected = fnmatch(glob.c_str(), text.c_str(), 0) == 0;
        matched += expected ? 1 : 0;
        ASSERT_EQ(glob_matches(glob, text), expected) << glob << " on " << text;
    }
    EXPECT_GT(matched, 10000);
}

TEST(Glob, LongTextsNeedNoStackAndNoSquareOfTime) {
    const std::string text(300000, 'a');
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(glob_matches("*a*a*a*a*a*a*a*a*b", text));
    EXPECT_TRUE(glob_matches("*a*a*a*a*a*a*a*a*", text));
    EXPECT_FALSE(glob_matches("*needle*", text));
    EXPECT_FALSE(glob_matches("*aaaaaaaaaaaaaaaab", text));
    // Milliseconds; an exponential matcher would still run when the tests are long over.
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(Glob, MistakesAreNamed) {
    EXPECT_EQ(glob_mistake("*/python*"), "");
    EXPECT_EQ(glob_mistake("a\\\\"), "");
    EXPECT_NE(glob_mistake(""), "");
    EXPECT_NE(glob_mistake("a\\"), "");
    EXPECT_NE(glob_mistake("a\\\\\\"), "");
    EXPECT_EQ(glob_mistake(std::string(4096, 'a')), "");
    EXPECT_NE(glob_mistake(std::string(4097, 'a')), "");
}

}  // namespace
}  // namespace ration::policy
