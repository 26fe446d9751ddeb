// What a policy means once it is read. The mistakes are in policy/bad, one file for each kind; here
// are those that take several sources.
#include <gtest/gtest.h>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

using Lines = std::vector<std::string>;

Source site(std::string file, std::string text) {
    Source source{std::move(file), std::move(text)};
    source.site = true;
    return source;
}

TEST(Read, APartitionHasWhatWasWritten) {
    const Loaded loaded = read_text(R"(schema = 1
[partition.a]
share = "12.5%"
memory = "512MiB"
device = [0, "visible:1", "GPU-aa", "17:00.0"]
mechanism = "mps"
priority = 1
override_visible = true
[partition.b]
sm = 32
memory = "25%"
device = 2
[partition.c]
mig = "MIG-aa"
mechanism = "mig"
)");
    ASSERT_EQ(lines(loaded.problems), Lines());
    ASSERT_EQ(loaded.policy.partitions.size(), 3U);
    const Partition& a = loaded.policy.partitions.at("partition.a");
    EXPECT_EQ(a.name, "partition.a");
    EXPECT_EQ(a.place.line, 2U);
    EXPECT_EQ(a.place.file, "p.toml");
    EXPECT_EQ(a.share, 12.5);
    EXPECT_FALSE(a.sm || a.mig);
    EXPECT_EQ(std::get<std::uint64_t>(a.memory->amount), 512ULL << 20U);
    ASSERT_EQ(a.devices.size(), 4U);
    EXPECT_EQ(a.devices[1].kind, DeviceSelector::Kind::kVisible);
    EXPECT_EQ(a.mechanism, Mechanism::kMps);
    EXPECT_EQ(a.priority, 1U);
    EXPECT_TRUE(a.override_visible);

    const Partition& b = loaded.policy.partitions.at("partition.b");
    EXPECT_EQ(b.sm, 32U);
    EXPECT_EQ(std::get<double>(b.memory->amount), 25.0);
    ASSERT_EQ(b.devices.size(), 1U);
    EXPECT_EQ(b.devices[0].index, 2U);
    EXPECT_EQ(b.mechanism, Mechanism::kAuto);
    EXPECT_FALSE(b.priority);
    EXPECT_FALSE(b.override_visible);

    const Partition& c = loaded.policy.partitions.at("partition.c");
    EXPECT_EQ(c.mig, "MIG-aa");
    EXPECT_EQ(c.mechanism, Mechanism::kMig);
}

TEST(Read, ARuleHasWhatWasWritten) {
    const Loaded loaded = read_text(R"(schema = 1
[defaults]
on_error = "warn"
no_match = "pool.p"
[partition.a]
share = "25%"
[pool.p]
share = ["50%", "50%"]
[[rule]]
exe = "e"
script = ["s", "t"]
argv = "a"
env = { B = "b", A = ["x", "y"] }
user = ["alice", 7]
group = 8
cgroup = "c"
host = "h"
use = "partition.a"
may_use = ["pool.p", "ignore", "deny"]
on_error = "fail"
[[rule]]
use = "deny"
)");
    ASSERT_EQ(lines(loaded.problems), Lines());
    EXPECT_EQ(loaded.policy.files, Lines{"p.toml"});
    EXPECT_EQ(loaded.policy.on_error, OnError::kWarn);
    EXPECT_EQ(loaded.policy.no_match.kind, Use::Kind::kPool);
    EXPECT_EQ(loaded.policy.no_match.name, "pool.p");
    EXPECT_EQ(loaded.policy.no_match.place.line, 4U);
    ASSERT_EQ(loaded.policy.rules.size(), 2U);

    const Rule& rule = loaded.policy.rules[0];
    EXPECT_EQ(rule.place.line, 9U);
    EXPECT_EQ(rule.match.exe, Lines{"e"});
    EXPECT_EQ(rule.match.script, (Lines{"s", "t"}));
    EXPECT_EQ(rule.match.argv, Lines{"a"});
    ASSERT_EQ(rule.match.env.size(), 2U);
    EXPECT_EQ(rule.match.env[0].first, "B");
    EXPECT_EQ(rule.match.env[1].second, (Lines{"x", "y"}));
    EXPECT_EQ(rule.match.user, (Lines{"alice", "7"}));
    EXPECT_EQ(rule.match.group, Lines{"8"});
    EXPECT_EQ(rule.match.cgroup, Lines{"c"});
    EXPECT_EQ(rule.match.host, Lines{"h"});
    EXPECT_EQ(rule.use.kind, Use::Kind::kPartition);
    EXPECT_EQ(rule.use.name, "partition.a");
    ASSERT_EQ(rule.may_use.size(), 3U);
    EXPECT_EQ(rule.may_use[0].kind, Use::Kind::kPool);
    EXPECT_EQ(rule.may_use[1].kind, Use::Kind::kIgnore);
    EXPECT_EQ(rule.may_use[2].kind, Use::Kind::kDeny);
    EXPECT_EQ(rule.on_error, OnError::kFail);
    EXPECT_EQ(loaded.policy.rules[1].use.kind, Use::Kind::kDeny);
    EXPECT_FALSE(loaded.policy.rules[1].on_error);
}

TEST(Read, NothingIsIgnoredAndFailsByDefault) {
    const Loaded loaded = read_text("schema = 1\n");
    EXPECT_TRUE(loaded.problems.empty());
    EXPECT_EQ(loaded.policy.no_match.kind, Use::Kind::kIgnore);
    EXPECT_EQ(loaded.policy.on_error, OnError::kFail);
    EXPECT_FALSE(loaded.policy.locked);
    EXPECT_TRUE(read({}).problems.empty());
}

TEST(Read, SourcesAreOnePolicy) {
    const Loaded loaded = read({
        {"a.toml", "schema = 1\n[[rule]]\nuse = \"partition.b\"\n"},
        {"b.toml", "schema = 1\n[partition.b]\nshare = \"25%\"\n[[rule]]\nuse = \"ignore\"\n"},
    });
    EXPECT_EQ(lines(loaded.problems), Lines());
    EXPECT_EQ(loaded.policy.files, (Lines{"a.toml", "b.toml"}));
    ASSERT_EQ(loaded.policy.rules.size(), 2U);
    EXPECT_EQ(loaded.policy.rules[0].place.file, "a.toml");
    EXPECT_EQ(loaded.policy.rules[1].place.file, "b.toml");
}

TEST(Read, ANameOrDefaultsTwiceIsAMistake) {
    const std::string text =
        "schema = 1\n[defaults]\non_error = \"warn\"\n[partition.b]\nshare = \"25%\"\n"
        "[pool.p]\nshare = [\"50%\"]\n";
    const std::string again =
        "schema = 1\n[defaults]\non_error = \"fail\"\n[partition.b]\nshare = \"50%\"\n"
        "[pool.p]\nshare = [\"60%\"]\n";
    const Loaded loaded = read({{"a.toml", text}, {"b.toml", again}});
    EXPECT_EQ(lines(loaded.problems),
              (Lines{"b.toml:2:1: [defaults] is in a.toml:2:1 already; allowed: one [defaults] in "
                     "all files",
                     "b.toml:4:12: partition.b is in a.toml:4:12 already; allowed: each name once "
                     "in all files",
                     "b.toml:6:7: pool.p is in a.toml:6:7 already; allowed: each name once in all "
                     "files"}));
    EXPECT_EQ(loaded.policy.on_error, OnError::kWarn);
}

TEST(Read, MistakesAreInTheOrderOfTheText) {
    const Loaded loaded = read({
        {"z.toml", "schema = 1\n[[rule]]\nuse = \"partition.x\"\n[partition.a]\nshare = \"0%\"\n"},
        {"a.toml", "schema = 1\nx = 1\n"},
    });
    ASSERT_EQ(loaded.problems.size(), 3U);
    EXPECT_EQ(lines(loaded.problems)[0].rfind("z.toml:3:7: use \"partition.x\" is not defined", 0),
              0U);
    EXPECT_EQ(lines(loaded.problems)[1].rfind("z.toml:5:9: share \"0%\"", 0), 0U);
    EXPECT_EQ(lines(loaded.problems)[2].rfind("a.toml:2:1: unknown key \"x\"", 0), 0U);
}

TEST(Read, AFileThatIsNoTomlHidesNames) {
    // Its partitions may be the ones that the other file means.
    const Loaded loaded = read({
        {"a.toml", "schema = 1\n[[rule]]\nuse = \"partition.b\"\n"},
        {"b.toml", "schema = 1\n[partition.b\n"},
    });
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(loaded.problems[0].place.file, "b.toml");
}

TEST(Read, AWorldWritableSiteFileIsAMistake) {
    Source source = site("/etc/ration/policy.toml", "schema = 1\nx = 1\n");
    source.weakness = "is writable by everyone";
    EXPECT_EQ(
        lines(read({source}).problems),
        (Lines{"/etc/ration/policy.toml: the file is writable by everyone; allowed: site "
               "policies that belong to root and that only root can change (chown root:root, chmod "
               "go-w)",
               "/etc/ration/policy.toml:2:1: unknown key \"x\" in the policy; allowed: schema, "
               "locked, defaults, partition, pool, rule"}));
    source.site = false;
    source.text = "schema = 1\n";
    EXPECT_EQ(lines(read({source}).problems), Lines());
}

TEST(Read, OneFileMayLockAndAnotherSayNoMatch) {
    const Loaded loaded = read({
        site("a.toml", "schema = 1\nlocked = true\n"),
        site("b.toml", "schema = 1\n[defaults]\nno_match = \"deny\"\n"),
    });
    EXPECT_EQ(lines(loaded.problems), Lines());
    EXPECT_TRUE(loaded.policy.locked);
    EXPECT_EQ(loaded.policy.no_match.kind, Use::Kind::kDeny);
}

TEST(Read, WhatMayBeMeantToLockLocks) {
    const auto locked = [](const std::string& text) {
        return read({site("f", text)}).policy.locked;
    };
    EXPECT_TRUE(locked("schema = 1\nlocked = true\nx = 1\n"));
    EXPECT_TRUE(locked("schema = 1\nlocked = \"yes\"\n"));
    EXPECT_TRUE(locked("schema = 1\nlocked = 1\n"));
    EXPECT_TRUE(locked("schema = 1\nlocked = true\n[\n"));
    EXPECT_TRUE(locked("schema = 2\nlocked = true\n"));
    EXPECT_TRUE(locked("schema = 2\nlock.mode = \"locked\"\n"));
    EXPECT_TRUE(locked("schema = 1\n[defaults]\nlocked = true\nno_match = \"deny\"\n"));
    EXPECT_FALSE(locked("schema = 1\nlocked = false\n[defaults]\nlocked = true\n"));
    EXPECT_FALSE(locked("schema = 1\nlocked = false\n"));
    EXPECT_FALSE(locked("schema = 1\nlocke = true\n"));
    EXPECT_FALSE(locked("schema = 1\n# locked = true\n[\n"));
    EXPECT_FALSE(locked("schema = 1\n[\n"));
    // A user's file locks nothing, whatever it says.
    EXPECT_FALSE(read_text("schema = 1\nlocked = true\n").policy.locked);
    EXPECT_FALSE(read_text("schema = 1\nlocked = true\n[\n").policy.locked);
}

TEST(Read, OnErrorHoldsForABrokenPolicyToo) {
    EXPECT_EQ(read_text("schema = 1\nx = 1\n[defaults]\non_error = \"warn\"\n").policy.on_error,
              OnError::kWarn);
}

}  // namespace
}  // namespace ration::policy
