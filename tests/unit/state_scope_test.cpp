// Who shares a grant: the keys of scopes.
#include <gtest/gtest.h>

#include "shim/state/scope.h"

namespace ration::state {
namespace {

// include/linux/proc_ns.h
constexpr Namespaces kFirst{0xEFFFFFFD, 0xEFFFFFFB};
constexpr Namespaces kContainer{4026532500, 4026532501};

std::string key(Scope scope, const Namespaces& namespaces = kFirst) {
    return scope_key(scope, "pool.paper[2]", 1000, "/jobs/7", namespaces);
}

TEST(StateScope, Keys) {
    EXPECT_EQ(key(Scope::kProcess), "");
    EXPECT_EQ(key(Scope::kSlot), "slot:1000:pool.paper[2]");
    EXPECT_EQ(key(Scope::kUser), "user:1000");
    EXPECT_EQ(key(Scope::kCgroup), "cgroup:/jobs/7");
}

TEST(StateScope, AContainerIsOneOfItsOwn) {
    EXPECT_EQ(key(Scope::kSlot, kContainer), "slot:1000@4026532500:pool.paper[2]");
    EXPECT_EQ(key(Scope::kUser, kContainer), "user:1000@4026532500");
    EXPECT_EQ(key(Scope::kCgroup, kContainer), "cgroup@4026532501:/jobs/7");
    EXPECT_EQ(scope_key(Scope::kCgroup, "", 0, "/", {0, 0}), "cgroup@0:/");
}

TEST(StateScope, NoCgroupNoScope) {
    EXPECT_EQ(scope_key(Scope::kCgroup, "", 1000, "", kFirst), "");
}

TEST(StateScope, ThisProcessHasNamespaces) {
    const Namespaces here = this_namespaces();
    EXPECT_GT(here.user, 0u);
    EXPECT_GT(here.cgroup, 0u);
}

}  // namespace
}  // namespace ration::state
