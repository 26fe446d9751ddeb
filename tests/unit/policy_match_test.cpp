#include <grp.h>
#include <gtest/gtest.h>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

TEST(Match, NoKeysMatchEverything) { EXPECT_TRUE(matches({}, FakeProcess())); }

TEST(Match, EachKeyLooksAtItsOwn) {
    FakeProcess process;
    process.exe_text = "/usr/bin/python3.11";
    process.script_text = "train.py";
    process.argv_text = "python3 train.py --epochs 3";
    process.cgroup_text = "/system.slice/job_7/step_0";
    process.host_text = "node17";
    struct Case {
        std::vector<std::string> Match::*key;
        const char* right;
    };
    const Case cases[] = {{&Match::exe, "*/python3*"},
                          {&Match::script, "*.py"},
                          {&Match::argv, "*--epochs 3"},
                          {&Match::cgroup, "*/job_7/*"},
                          {&Match::host, "node[0-9][0-9]"}};
    for (const Case& each : cases) {
        Match match;
        match.*each.key = {each.right};
        EXPECT_TRUE(matches(match, process)) << each.right;
        match.*each.key = {"other"};
        EXPECT_FALSE(matches(match, process)) << each.right;
        match.*each.key = {"other", each.right};
        EXPECT_TRUE(matches(match, process)) << "entries of one key are ORed";
    }
}

TEST(Match, KeysAreANDed) {
    FakeProcess process;
    process.exe_text = "a";
    process.host_text = "b";
    Match match;
    match.exe = {"a"};
    match.host = {"b"};
    EXPECT_TRUE(matches(match, process));
    match.host = {"c"};
    EXPECT_FALSE(matches(match, process));
}

TEST(Match, EveryVariableMustMatch) {
    FakeProcess process;
    process.variables = {{"A", "1"}, {"B", ""}};
    Match match;
    match.env = {{"A", {"2", "[0-9]"}}};
    EXPECT_TRUE(matches(match, process));
    match.env = {{"A", {"*"}}, {"B", {"*"}}};
    EXPECT_TRUE(matches(match, process));
    match.env = {{"A", {"*"}}, {"C", {"*"}}};
    EXPECT_FALSE(matches(match, process)) << "C is not set";
    match.env = {{"A", {"2"}}};
    EXPECT_FALSE(matches(match, process));
}

TEST(Match, UsersAndGroupsAreNumbersOrNames) {
    FakeProcess process;
    process.user = 4242;
    process.group_list = {4243, 77};
    Match match;
    match.user = {"4242"};
    EXPECT_TRUE(matches(match, process));
    match.user = {"4243"};
    EXPECT_FALSE(matches(match, process));
    match.user = {"root"};
    EXPECT_FALSE(matches(match, process));
    process.user = 0;
    EXPECT_TRUE(matches(match, process));
    match.user = {"no-such-user-anywhere", "root"};
    EXPECT_TRUE(matches(match, process));

    match.user.clear();
    match.group = {"77"};
    EXPECT_TRUE(matches(match, process)) << "supplementary groups count";
    match.group = {"78"};
    EXPECT_FALSE(matches(match, process));
    const group* first = getgrgid(0);
    ASSERT_NE(first, nullptr);
    match.group = {first->gr_name};
    EXPECT_FALSE(matches(match, process));
    process.group_list.push_back(0);
    EXPECT_TRUE(matches(match, process));
}

// A user may have a name of digits; the number is what is meant.
TEST(Match, DigitsAreNeverLookedUpAsNames) {
    FakeProcess process;
    process.user = 5;
    Match match;
    match.user = {"00005"};
    EXPECT_TRUE(matches(match, process));
}

TEST(Match, CheapKeysComeFirst) {
    FakeProcess process;
    Match match;
    match.argv = {"*"};
    match.script = {"*"};
    match.exe = {"*"};
    match.host = {"*"};
    match.cgroup = {"*"};
    match.user = {"no-such-user-anywhere"};
    match.env = {{"A", {"*"}}};
    EXPECT_FALSE(matches(match, process));
    EXPECT_EQ(process.asked, (std::map<std::string, int>{{"env", 1}}));

    match.env.clear();
    match.exe = {"x"};
    process.asked.clear();
    EXPECT_FALSE(matches(match, process));
    EXPECT_EQ(process.asked.count("argv"), 0U);
    EXPECT_EQ(process.asked.count("script"), 0U);
    EXPECT_EQ(process.asked.count("cgroup"), 0U);
}

}  // namespace
}  // namespace ration::policy
