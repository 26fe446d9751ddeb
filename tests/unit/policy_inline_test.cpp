#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "policy_helpers.h"
#include "shim/policy/draft.h"

namespace ration::policy {
namespace {

Inline options(const char* share, const char* memory, const char* device, const char* mig,
               const char* name) {
    return {share, memory, device, mig, name, "", ""};
}

Inline cus(const char* cu, const char* mask) { return {"", "", "", "", "", cu, mask}; }

TEST(Inline, CountsAndMasksCus) {
    EXPECT_EQ(decide(read_inline(cus("26", "")).policy, FakeProcess()).partition.cu, 26U);
    const Loaded loaded = read_inline(cus("", "0=0x0f,01=0x7F"));
    EXPECT_EQ(lines(loaded.problems), std::vector<std::string>());
    EXPECT_EQ(decide(loaded.policy, FakeProcess()).partition.cu_mask,
              (EngineMasks{{0, 0x0F}, {1, 0x7F}}));
}

TEST(Inline, ProblemsOfMasksNameTheOption) {
    const auto line = [](const Inline& given) { return lines(read_inline(given).problems).at(0); };
    EXPECT_EQ(line(cus("0", "")), "--cu: cu 0 is out of range; allowed: an integer from 1 to 1024");
    EXPECT_EQ(line(cus("lots", "")), "--cu: \"lots\" is not a number; allowed: digits alone");
    for (const char* mask :
         {"0", "0=0x0,1=0x0", "0=0x1,", "0=0x1,00=0x1", "=0x1", "64=0x1", "0=15"}) {
        EXPECT_EQ(line(cus("", mask)).rfind("--cu-mask: ", 0), 0U) << mask;
    }
    EXPECT_EQ(
        line(cus("26", "0=0x1")),
        "--cu-mask: the command line has two sizes, cu and cu_mask; allowed: one of share, sm, "
        "sm_groups, device_share, cu, cu_mask and mig");
}

TEST(Inline, IsOnePartitionForEverything) {
    const Loaded loaded = read_inline(options("25%", "2GiB", "0,visible:1,GPU-aa", "", "mine"));
    EXPECT_EQ(lines(loaded.problems), std::vector<std::string>());
    const Decision decision = decide(loaded.policy, FakeProcess());
    ASSERT_EQ(decision.kind, Decision::Kind::kPartition);
    EXPECT_EQ(decision.partition.name, "partition.mine");
    EXPECT_EQ(decision.partition.share, 25.0);
    EXPECT_EQ(std::get<std::uint64_t>(decision.partition.memory->amount), 2ULL << 30U);
    ASSERT_EQ(decision.partition.devices.size(), 3U);
    EXPECT_EQ(decision.partition.devices[0].text, "0");
    EXPECT_EQ(decision.partition.devices[1].kind, DeviceSelector::Kind::kVisible);
    EXPECT_EQ(decision.partition.devices[2].kind, DeviceSelector::Kind::kUuid);
    EXPECT_EQ(decision.on_error, OnError::kFail);
}

TEST(Inline, NeedsNoName) {
    const Loaded loaded = read_inline(options("", "", "", "MIG-aa", ""));
    EXPECT_TRUE(loaded.problems.empty());
    EXPECT_EQ(decide(loaded.policy, FakeProcess()).partition.name, "partition.run");
    EXPECT_EQ(decide(loaded.policy, FakeProcess()).partition.mig, "MIG-aa");
}

TEST(Inline, ProblemsNameTheOption) {
    const auto text = [](const Inline& given) { return lines(read_inline(given).problems); };
    EXPECT_EQ(
        text(options("140%", "10", "", "", "")),
        (std::vector<std::string>{
            "--share: \"140%\" is above 100%; allowed: a share above 0% and at most 100%, such "
            "as \"25%\", \"12.5%\" or \"1/3\"",
            "--memory: \"10\" has no unit; allowed: a size of at least 1 MiB, such as "
            "\"10GiB\" (or MiB, TiB, K, M, G, T; MB and GB are decimal), or \"25%\""}));
    EXPECT_EQ(text(options("", "", "0,x", "", "")).size(), 1U);
    EXPECT_EQ(text(options("", "", "0,x", "", ""))[0].rfind("--device: \"x\" is not a device", 0),
              0U);
    EXPECT_EQ(text(options("", "", "0,", "", "")).size(), 1U);
    EXPECT_EQ(text(options("", "", ",0", "", "")).size(), 1U);
    EXPECT_EQ(
        text(options("", "", "0,0", "", "")),
        (std::vector<std::string>{"--device: \"0\" is named twice; allowed: each device once"}));
    EXPECT_EQ(
        text(options("25%", "", "", "MIG-aa", "")),
        (std::vector<std::string>{"--mig: the command line has two sizes, share and mig; allowed: "
                                  "one of share, sm, sm_groups, device_share, cu, cu_mask and "
                                  "mig"}));
    EXPECT_EQ(text(options("", "", "", "", "")).size(), 1U);
    EXPECT_EQ(text(options("", "", "", "", "x")),
              (std::vector<std::string>{
                  "--name: the command line limits nothing; allowed: share, sm, sm_groups, "
                  "device_share, cu, cu_mask, mig, memory, device or priority (share = \"100%\" "
                  "for all of a GPU)"}));
}

TEST(Inline, GroupsAreReadAsInAPolicy) {
    Inline given;
    given.sm_groups = "0-1";
    given.mechanism = "green";
    given.granularity = "fine";
    given.exclusive = "1";
    given.wait = "5min";
    given.scope = "user";
    const Loaded loaded = read_inline(given);
    EXPECT_EQ(lines(loaded.problems), std::vector<std::string>());
    const Partition partition = decide(loaded.policy, FakeProcess()).partition;
    EXPECT_EQ(partition.sm_groups, (std::vector<unsigned>{0, 1}));
    EXPECT_EQ(partition.mechanism, Mechanism::kGreen);
    EXPECT_EQ(partition.granularity, SmGranularity::kFine);
    EXPECT_TRUE(partition.exclusive);
    EXPECT_EQ(partition.wait, std::chrono::minutes(5));
    EXPECT_EQ(partition.scope, Scope::kUser);
    given = {};
    given.sm = "32";
    EXPECT_EQ(decide(read_inline(given).policy, FakeProcess()).partition.sm, 32U);
}

TEST(Inline, MistakesOfGroupsNameTheOption) {
    const auto line = [](std::string Inline::*flag, const char* text, const char* share) {
        Inline given;
        given.share = share;
        given.*flag = text;
        return lines(read_inline(given).problems).at(0);
    };
    EXPECT_EQ(line(&Inline::sm, "0", ""),
              "--sm: sm 0 is out of range; allowed: an integer from 1 to 65535");
    EXPECT_EQ(line(&Inline::sm, "32x", ""), "--sm: \"32x\" is not a number; allowed: digits alone");
    EXPECT_EQ(line(&Inline::wait, "5min", "25%"),
              "--wait: wait in the command line without exclusive; allowed: with exclusive = true");
    EXPECT_EQ(line(&Inline::scope, "us", "25%"),
              "--scope: \"us\" is unknown; allowed: \"process\", \"slot\", \"user\", "
              "\"cgroup\"");
    EXPECT_EQ(line(&Inline::sm_groups, "0", "25%"),
              "--sm-groups: the command line has two sizes, share and sm_groups; allowed: one of "
              "share, sm, sm_groups, device_share, cu, cu_mask and mig");
    EXPECT_EQ(line(&Inline::exclusive, "1", ""),
              "--exclusive: the command line limits nothing; allowed: share, sm, sm_groups, "
              "device_share, cu, cu_mask, mig, memory, device or priority (share = \"100%\" for "
              "all of a GPU)");
    EXPECT_EQ(line(&Inline::exclusive, "yes", "25%"),
              "--exclusive: \"yes\" is neither; allowed: 1 or 0");
    EXPECT_EQ(line(&Inline::device_share, "0", ""),
              "--device-share: \"0\" has no equals sign; allowed: NAME=VALUE, separated by commas");
    EXPECT_EQ(line(&Inline::device_share, "0=25%,0=50%", ""),
              "--device-share: device_share names device \"0\" twice; allowed: each device once");
    EXPECT_EQ(line(&Inline::report, "now", "25%"),
              "--report: \"now\" is unknown; allowed: \"start\", \"max\", \"min\"");
    EXPECT_EQ(line(&Inline::own_contexts, "primary", ""),
              "--own-contexts: the command line limits nothing; allowed: share, sm, sm_groups, "
              "device_share, cu, cu_mask, mig, memory, device or priority (share = \"100%\" for "
              "all of a GPU)");
}

TEST(Inline, SharesByDeviceAreATable) {
    Inline given;
    given.device_share = "0=25%,visible:1=50%,GPU-aa=1/4";
    given.report = "min";
    given.own_contexts = "primary";
    given.override_visible = "1";
    const Loaded loaded = read_inline(given);
    EXPECT_EQ(lines(loaded.problems), std::vector<std::string>());
    const Partition partition = decide(loaded.policy, FakeProcess()).partition;
    EXPECT_EQ(partition.device_share, (std::vector<double>{25, 50, 25}));
    ASSERT_EQ(partition.devices.size(), 3U);
    EXPECT_EQ(partition.devices[0].index, 0U);
    EXPECT_EQ(partition.devices[1].kind, DeviceSelector::Kind::kVisible);
    EXPECT_EQ(partition.report, Reported::kMin);
    EXPECT_EQ(partition.own_contexts, OwnContexts::kPrimary);
    EXPECT_TRUE(partition.override_visible);
}

TEST(Inline, APriorityOrADistributionIsOneToo) {
    Inline given;
    given.priority = "1";
    EXPECT_EQ(decide(read_inline(given).policy, FakeProcess()).partition.priority, 1U);
    given.priority = "2";
    EXPECT_EQ(lines(read_inline(given).problems),
              (std::vector<std::string>{
                  "--priority: priority 2 is out of range; allowed: an integer from 0 to 1"}));
    given = {};
    given.cu = "24";
    given.distribution = "engines";
    EXPECT_EQ(decide(read_inline(given).policy, FakeProcess()).partition.distribution,
              Distribution::kEngines);
}

TEST(Inline, EveryKeyOfAPartitionIsAnOption) {
    std::vector<std::string> keys;
    for (const InlineFlag& flag : kInlineFlags) {
        if (flag.key == nullptr) continue;
        keys.emplace_back(flag.key);
        std::string option = "--" + keys.back();
        std::replace(option.begin(), option.end(), '_', '-');
        EXPECT_EQ(option, flag.option);
    }
    EXPECT_THAT(keys, ::testing::UnorderedElementsAreArray(partition_key_names()));
}

// libration.so has a list of its own, without the C++ library.
TEST(Inline, AskingFlagsAreThoseThatTheFrontLooksFor) {
    std::vector<std::string> asking;
    for (const InlineFlag& flag : kInlineFlags) {
        if (flag.asks) asking.emplace_back(flag.variable);
    }
    EXPECT_THAT(asking, ::testing::UnorderedElementsAreArray(kAskingVariables));
}

TEST(Inline, ANameIsOneLine) {
    EXPECT_EQ(lines(read_inline(options("25%", "", "", "", "a b\n")).problems),
              (std::vector<std::string>{
                  "--name: \"a b\\x0a\"; allowed: 1 to 64 letters, digits, - and _"}));
}

}  // namespace
}  // namespace ration::policy
