#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy_helpers.h"

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
    EXPECT_EQ(line(cus("0", "")),
              "--cu: \"0\" is not a number of CUs; allowed: an integer from 1 to 1024");
    for (const char* mask :
         {"0", "0=0x0,1=0x0", "0=0x1,", "0=0x1,00=0x1", "=0x1", "64=0x1", "0=15"}) {
        EXPECT_EQ(line(cus("", mask)).rfind("--cu-mask: ", 0), 0U) << mask;
    }
    EXPECT_EQ(
        line(cus("26", "0=0x1")),
        "--cu-mask: beside --cu; allowed: one of --share, --sm, --sm-groups, --cu and --cu-mask");
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
    EXPECT_EQ(text(options("", "", "0,0", "", "")),
              (std::vector<std::string>{"--device: \"0\" is named twice"}));
    EXPECT_EQ(
        text(options("25%", "", "", "MIG-aa", "")),
        (std::vector<std::string>{"--mig: beside another limit; allowed: --mig alone, as a MIG "
                                  "instance is a device with a size of its own"}));
    EXPECT_EQ(text(options("", "", "", "", "")).size(), 1U);
    EXPECT_EQ(text(options("", "", "", "", "x")),
              (std::vector<std::string>{
                  "--name: nothing to limit; allowed: --share, --sm, --sm-groups, --cu, --cu-mask, "
                  "--memory, --device or --mig"}));
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
    EXPECT_EQ(line(&Inline::sm, "32x", ""),
              "--sm: sm is a string; allowed: an integer from 1 to 65535");
    EXPECT_EQ(line(&Inline::wait, "5min", "25%"),
              "--wait: wait in the options without exclusive; allowed: with exclusive = true");
    EXPECT_EQ(line(&Inline::scope, "us", "25%"),
              "--scope: scope \"us\" is unknown; allowed: \"process\", \"slot\", \"user\", "
              "\"cgroup\"");
    EXPECT_EQ(line(&Inline::sm_groups, "0", "25%"),
              "--sm-groups: beside --share; allowed: one of --share, --sm, --sm-groups, --cu and "
              "--cu-mask");
    EXPECT_EQ(line(&Inline::exclusive, "1", "").rfind("--exclusive: nothing to limit", 0), 0U);
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
