// Groups of SMs, who shares them, how long to wait for them.
#include <gtest/gtest.h>

#include "policy_helpers.h"
#include "shim/policy/span.h"

namespace ration::policy {
namespace {

using Lines = std::vector<std::string>;
using Groups = std::vector<unsigned>;

Policy policy_of(const std::string& text) {
    Loaded loaded = read_text("schema = 1\n" + text);
    EXPECT_EQ(lines(loaded.problems), Lines());
    return std::move(loaded.policy);
}

Partition partition_of(const std::string& keys) {
    return policy_of("[partition.a]\n" + keys).partitions.at("partition.a");
}

TEST(Span, ReadsGroups) {
    EXPECT_EQ(parse_groups("7,0-3").value, (Groups{0, 1, 2, 3, 7}));
    EXPECT_EQ(parse_groups("1023").value, Groups{1023});
    EXPECT_EQ(groups_text({0, 1, 2, 3, 7, 9, 10}), "0-3,7,9-10");
    EXPECT_EQ(groups_text({}), "");
    for (const char* text : {"", ",", "0,", "-1", "1-", "0-3-5", "0 1", "0x1", "4294967296"}) {
        EXPECT_FALSE(parse_groups(text).value) << text;
    }
}

TEST(Span, ReadsTimes) {
    using std::chrono::seconds;
    EXPECT_EQ(parse_wait("0s").value, seconds(0));
    EXPECT_EQ(parse_wait("5min").value, seconds(300));
    EXPECT_EQ(parse_wait("24h").value, seconds(86400));
    for (const char* text : {"", "s", "1.5h", "-1s", "1 s", "5m", "1441min", "4294967295h"}) {
        EXPECT_FALSE(parse_wait(text).value) << text;
    }
}

TEST(Green, KeysSetTheirFields) {
    const Partition a = partition_of(R"(sm_groups = "0-1,5"
mechanism = "green"
granularity = "fine"
exclusive = true
wait = "2min"
scope = "cgroup"
report = "min"
own_contexts = "primary"
)");
    EXPECT_EQ(a.sm_groups, (Groups{0, 1, 5}));
    EXPECT_EQ(a.mechanism, Mechanism::kGreen);
    EXPECT_EQ(a.granularity, SmGranularity::kFine);
    EXPECT_TRUE(a.exclusive);
    EXPECT_EQ(a.wait, std::chrono::minutes(2));
    EXPECT_EQ(a.scope, Scope::kCgroup);
    EXPECT_EQ(a.report, Reported::kMin);
    EXPECT_EQ(a.own_contexts, OwnContexts::kPrimary);
}

TEST(Green, SharesByDeviceNameTheDevices) {
    const Partition a = partition_of("device_share = { 3 = \"25%\", \"visible:1\" = \"50%\" }\n");
    ASSERT_EQ(a.devices.size(), 2U);
    EXPECT_EQ(a.devices[0].index, 3U);
    EXPECT_EQ(a.devices[1].kind, DeviceSelector::Kind::kVisible);
    EXPECT_EQ(a.device_share, (std::vector<double>{25, 50}));
    EXPECT_FALSE(a.share);
}

TEST(Green, SlotsHaveTheirOwn) {
    const Policy policy = policy_of(R"([pool.p]
sm_groups = ["0-3", "4-7"]
exclusive = [true, false]
wait = ["1h", "0s"]
scope = "slot"
)");
    const auto& slots = policy.pools.at("pool.p").slots;
    EXPECT_EQ(slots.at(1).sm_groups, (Groups{4, 5, 6, 7}));
    EXPECT_TRUE(slots[0].exclusive);
    EXPECT_FALSE(slots[1].exclusive);
    EXPECT_EQ(slots[0].wait, std::chrono::hours(1));
    EXPECT_EQ(slots[1].scope, Scope::kSlot);
}

// The rule's own scope, then the partition's.
TEST(Green, ARuleIsBeforeItsPartition) {
    const auto scope = [](const char* rule) {
        const Policy policy = policy_of(std::string(R"([partition.a]
share = "25%"
scope = "user"
[[rule]]
use = "partition.a"
)") + rule);
        return decide(policy, FakeProcess()).partition.scope;
    };
    EXPECT_EQ(scope(""), Scope::kUser);
    EXPECT_EQ(scope("scope = \"cgroup\"\n"), Scope::kCgroup);
    EXPECT_EQ(scope("scope = \"process\"\n"), Scope::kProcess);
}

// A job's steps have cgroups of their own, below the one that the rule names.
TEST(Green, ACgroupIsTheUppermostThatTheRuleMatches) {
    const std::string task = "/slurm/uid_1000/job_7/step_0/task_3";
    EXPECT_EQ(scope_cgroup({}, task), task);
    EXPECT_EQ(scope_cgroup({"*/job_*"}, task), "/slurm/uid_1000/job_7");
    EXPECT_EQ(scope_cgroup({"/none", "*/step_*"}, task), "/slurm/uid_1000/job_7/step_0");
    EXPECT_EQ(scope_cgroup({"*/task_3"}, task), task);
    EXPECT_EQ(scope_cgroup({"/"}, "/"), "/");
    EXPECT_EQ(scope_cgroup({}, "/"), "/");
    EXPECT_EQ(scope_cgroup({"*"}, ""), "");
}

TEST(Green, TheCgroupIsAskedForOnlyWhereItIsShared) {
    FakeProcess process;
    process.cgroup_text = "/a/job_7/b";
    const char* text = R"([partition.a]
memory = "1GiB"
[[rule]]
use = "partition.a"
)";
    EXPECT_EQ(decide(policy_of(text), process).partition.scope_cgroup, "");
    EXPECT_EQ(process.asked["cgroup"], 0);
    const Policy shared =
        policy_of(std::string(text) + "scope = \"cgroup\"\ncgroup = \"*/job_*\"\n");
    EXPECT_EQ(decide(shared, process).partition.scope_cgroup, "/a/job_7");
}

}  // namespace
}  // namespace ration::policy
