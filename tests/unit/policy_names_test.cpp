// How often the user database is asked: behind it may be a directory server.
#include <dlfcn.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>

#include "policy_helpers.h"
#include "shim/policy/names.h"

namespace {
unsigned questions = 0;
}

// In front of libc's, for the whole test program.
extern "C" int getpwuid_r(uid_t uid, passwd* entry, char* buffer, size_t size, passwd** found) {
    ++questions;
    const auto real = reinterpret_cast<decltype(&getpwuid_r)>(dlsym(RTLD_NEXT, "getpwuid_r"));
    return real(uid, entry, buffer, size, found);
}
extern "C" int getpwnam_r(const char*, passwd*, char*, size_t, passwd** found) {
    ++questions;
    *found = nullptr;
    return 0;
}
extern "C" int getgrnam_r(const char* name, group* entry, char* buffer, size_t size,
                          group** found) {
    ++questions;
    const auto real = reinterpret_cast<decltype(&getgrnam_r)>(dlsym(RTLD_NEXT, "getgrnam_r"));
    return real(name, entry, buffer, size, found);
}

namespace ration::policy {
namespace {

class PolicyNames : public testing::Test {
  protected:
    void SetUp() override { questions = 0; }
    // A rule for each name; what the process gets.
    static Decision decide_among(const std::vector<std::string>& names,
                                 std::vector<std::string> Match::*key) {
        Policy policy;
        for (const std::string& name : names) {
            Rule rule;
            rule.match.*key = {name};
            rule.use.kind = Use::Kind::kDeny;
            policy.rules.push_back(rule);
        }
        FakeProcess root;
        root.user = 0;
        root.group_list = {0};
        return decide(policy, root);
    }
};

TEST_F(PolicyNames, AHundredUsersAreOneQuestion) {
    std::vector<std::string> names;
    for (int i = 0; i < 99; ++i) names.push_back("nobody-" + std::to_string(i));
    names.emplace_back("root");
    EXPECT_EQ(decide_among(names, &Match::user).kind, Decision::Kind::kDeny);
    EXPECT_EQ(questions, 1u);
}

TEST_F(PolicyNames, NumbersAreNoQuestion) {
    EXPECT_EQ(decide_among({"7", "0"}, &Match::user).kind, Decision::Kind::kDeny);
    EXPECT_EQ(decide_among({"7", "0"}, &Match::group).kind, Decision::Kind::kDeny);
    EXPECT_EQ(questions, 0u);
}

TEST_F(PolicyNames, AGroupIsAskedForOnce) {
    const auto decision =
        decide_among({"no-such-group", "no-such-group", "no-such-group", "root"}, &Match::group);
    EXPECT_EQ(decision.kind, Decision::Kind::kDeny);
    EXPECT_EQ(questions, 2u);
}

TEST_F(PolicyNames, AnAccountWithoutANameHasNone) {
    Names names;
    EXPECT_EQ(names.user_name(4294900000u), "");
    EXPECT_EQ(names.group_number("no-such-group"), std::nullopt);
}

}  // namespace
}  // namespace ration::policy
