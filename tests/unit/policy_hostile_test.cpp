// Texts that try to crash, hang or exhaust. The stack is that of a small thread, because the policy
// is read on whichever thread of the host program makes the first GPU call.
#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

struct Job {
    std::string text;
    Loaded loaded;
};

void* run(void* argument) {
    Job* job = static_cast<Job*>(argument);
    job->loaded = read_text(job->text);
    return nullptr;
}

constexpr std::size_t kSmallStack = std::size_t{256} << 10U;

Diagnostics read_in_small_thread(std::string text) {
    Job job{std::move(text), {}};
    pthread_attr_t attributes;
    pthread_t thread{};
    pthread_attr_init(&attributes);
    EXPECT_EQ(pthread_attr_setstacksize(&attributes, kSmallStack), 0);
    EXPECT_EQ(pthread_create(&thread, &attributes, run, &job), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    return job.loaded.problems;
}

std::string repeat(const std::string& what, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += what;
    return out;
}

TEST(Hostile, DeepNestingIsAMistake) {
    constexpr std::size_t kDepth = 200000;
    const std::string deep[] = {
        "schema = 1\nx = " + repeat("[", kDepth),
        "schema = 1\nx = " + repeat("[", kDepth) + repeat("]", kDepth),
        "schema = 1\nx = " + repeat("{a=", kDepth),
        "schema = 1\n" + repeat("a.", kDepth) + "a = 1\n",
        "schema = 1\n" + repeat("a . ", kDepth) + "a = 1\n",
        "schema = 1\n" + repeat("\"a\".", kDepth) + "a = 1\n",
        "schema = 1\n[" + repeat("a.", kDepth) + "a]\n",
        "schema = 1\n[[" + repeat("a.", kDepth) + "a]]\n",
        // The marks before a closing """ belong to the string; what follows does not.
        "schema = 1\nx = { a = \"\"\"b\"\"\"\", " + repeat("a.", kDepth) + "a = 1 }\n",
        "schema = 1\nx = { a = '''b''''', " + repeat("a.", kDepth) + "a = 1 }\n",
        "schema = 1\nx = [ \"\\\"\", { " + repeat("a.", kDepth) + "a = 1 } ]\n",
        // Within the limit of each kind, but both together.
        "schema = 1\n" + repeat("a.a.a.a.a.a.a = {", 8) + "b = 1" + repeat("}", 8) + "\n",
    };
    for (const std::string& text : deep) {
        const Diagnostics problems = read_in_small_thread(text);
        ASSERT_FALSE(problems.empty()) << text.substr(0, 60);
        EXPECT_LT(problems.size(), 3U) << text.substr(0, 60);
    }
}

TEST(Hostile, DotsInStringsAndCommentsAreNoNesting) {
    EXPECT_EQ(lines(read_text("schema = 1 # a.b.c.d.e.f.g.h.i.j.k\n[[rule]]\nuse = \"ignore\"\n"
                              "exe = [\"a.b.c.d.e.f.g.h.i.j.k\", '''a.b.c.d.e.f.g.h.i.j''']\n"
                              "argv = \"\"\"a.b.c.d.e.\nf.g.h.i.j\"\"\"\n")
                        .problems),
              std::vector<std::string>());
}

TEST(Hostile, ALongTextIsRefusedBeforeItIsParsed) {
    const std::string text = "schema = 1\n" + repeat("[[rule]]\nuse = \"ignore\"\n", 500000);
    ASSERT_GT(text.size(), 10U << 20U);
    EXPECT_EQ(lines(read_in_small_thread(text)),
              std::vector<std::string>{"p.toml: the file has " + std::to_string(text.size()) +
                                       " bytes; allowed: at most 1 MiB, which is far more than a "
                                       "policy needs"});
}

TEST(Hostile, AsMuchAsIsAllowedIsReadInTime) {
    const auto begin = std::chrono::steady_clock::now();
    std::string rules = "schema = 1\n";
    while (rules.size() < (1U << 20U) - 30) rules += "[[rule]]\nuse = \"ignore\"\n";
    EXPECT_TRUE(read_in_small_thread(rules).empty());

    std::string keys = "schema = 1\n";
    for (int i = 0; keys.size() < (1U << 20U) - 30; ++i) keys += "k" + std::to_string(i) + " = 0\n";
    EXPECT_GT(read_in_small_thread(keys).size(), 50000U);

    std::string uses = "schema = 1\n";
    for (int i = 0; uses.size() < (1U << 20U) - 90; ++i) {
        const std::string name = std::to_string(i);
        uses += "[partition.a" + name + "]\nsm=1\n[[rule]]\nuse=\"partition.b" + name + "\"\n";
    }
    EXPECT_GT(read_in_small_thread(uses).size(), 10000U);

    read_in_small_thread("schema = 1\n[pool.p]\nsm = [" + repeat("1,", 400000) + "]\n");
    read_in_small_thread("schema = 1\n" + std::string(1000000, 'k') + " = 1\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST(Hostile, BytesThatAreNoTextAreReportedAtTheirPlace) {
    const auto at = [](const std::string& text) { return format(read_text(text).problems.at(0)); };
    EXPECT_EQ(at("schema = 1\nx = \"a\xff\"\n"),
              "p.toml:2:7: not valid TOML: a byte that is not UTF-8");
    EXPECT_EQ(at("schema = 1\n\xc3"), "p.toml:2:1: not valid TOML: a byte that is not UTF-8");
    EXPECT_EQ(at("\xff\xfes\0c\0"), "p.toml:1:1: not valid TOML: a byte that is not UTF-8");
    EXPECT_EQ(at("\xef\xbb\xbf\xc0\xaf = 1\n"),
              "p.toml:1:1: not valid TOML: a byte that is not UTF-8");
    EXPECT_EQ(at("x = \"\xed\xa0\x80\"\n"), "p.toml:1:6: not valid TOML: a byte that is not UTF-8");
    EXPECT_EQ(at(std::string("schema = 1\n\0\n", 13)).rfind("p.toml:2:1: not valid TOML: ", 0), 0U);
    EXPECT_EQ(at(std::string(1000, '\0')).rfind("p.toml:1:1: not valid TOML: ", 0), 0U);
}

TEST(Hostile, ColumnsAreBytesAndTheByteOrderMarkIsNone) {
    EXPECT_EQ(lines(read_text("\xef\xbb\xbfschema = 2\n").problems).at(0).rfind("p.toml:1:10: ", 0),
              0U);
    EXPECT_EQ(lines(read_text("schema = 1\r\n\"\u00e9\u00e9\" = 1\r\nx = 1\r\n").problems)
                  .at(1)
                  .rfind("p.toml:3:1: ", 0),
              0U);
    const auto after =
        lines(read_text("schema = 1\nrule = [{ \"\u00e9\u00e9\" = 1, use = 2 }]\n").problems);
    ASSERT_EQ(after.size(), 2U);
    EXPECT_EQ(after[0].rfind("p.toml:2:11: unknown key \"\u00e9\u00e9\"", 0), 0U);
    EXPECT_EQ(after[1].rfind("p.toml:2:29: use is an integer", 0), 0U);
}

TEST(Hostile, AssumptionsOfTheParserMayBreak) {
    for (const char* text : {"[",     "[\n",    "[&",     "[[",        "[[[",      "[[[1]]]",
                             "[[=",   "[a.",    "a.",     "a =",       "a = [",    "a = {",
                             "a = +", "a = 0x", "a = 1_", "a = \"",    "a = \"\\", "a = \"\\u12",
                             "'",     "\"",     "=",      "a = 1979-", "a = 07:",  "a = in",
                             "a = t", "\r",     "#\r"}) {
        EXPECT_EQ(read_text(text).problems.size(), 1U) << text;
    }
}

TEST(Hostile, LettersBeyondAsciiMayStandAnywhere) {
    for (const char* text : {"x = \u00e9", "\u00e9 = 1", "x = 0\u00e9", "x = [0\"\u00e9\"]"}) {
        EXPECT_EQ(read_text(text).problems.size(), 1U) << text;
    }
    EXPECT_EQ(lines(read_text("schema = 1 # \u00e9\n[[rule]]\nuse = \"ignore\"\n"
                              "exe = \"\"\"a\\\n   \u00e9\"\"\"\n")
                        .problems),
              std::vector<std::string>());
}

TEST(Hostile, AMessageIsOneLine) {
    for (const char* text :
         {"schema = 1\n\"a\\nb\" = 1\n", "schema = 1\n[partition.\"a\\u0000\\n\"]\n",
          "schema = 1\n[[rule]]\nuse = \"\\u001b[31m\\n\"\n",
          "schema = 1\n[[rule]]\nuse = \"ignore\"\nenv = { \"A\\n\" = 1 }\n",
          "schema = 1\n[partition.a]\nshare = \"\"\"\n25%\n\"\"\"\n"}) {
        const auto found = lines(read_text(text).problems);
        EXPECT_FALSE(found.empty());
        for (const std::string& line : found) {
            EXPECT_EQ(line.find_first_of(std::string("\n\x1b\0", 3)), std::string::npos) << line;
        }
    }
}

}  // namespace
}  // namespace ration::policy
