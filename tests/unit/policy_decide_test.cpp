#include <gtest/gtest.h>

#include <new>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

using Kind = Decision::Kind;

Policy policy_of(const std::string& text) {
    Loaded loaded = read_text("schema = 1\n" + text);
    EXPECT_EQ(lines(loaded.problems), std::vector<std::string>());
    return std::move(loaded.policy);
}

Policy rules(const std::string& text, const std::string& defaults = "") {
    return policy_of(defaults + R"(
[partition.quarter]
share = "25%"
[partition.half]
share = "50%"
[pool.paper]
share = ["50%", "25%", "10%"]
)" + text);
}

TEST(Decide, TheFirstRuleThatMatchesWins) {
    const Policy policy = rules(R"(
[[rule]]
exe = "*/python*"
use = "partition.quarter"
[[rule]]
exe = "*/bin/*"
use = "partition.half"
on_error = "warn"
)");
    FakeProcess process;
    process.exe_text = "/usr/bin/python3";
    Decision decision = decide(policy, process);
    EXPECT_EQ(decision.kind, Kind::kPartition);
    EXPECT_EQ(decision.partition.name, "partition.quarter");
    EXPECT_EQ(decision.rule, policy.rules.data());
    EXPECT_EQ(decision.on_error, OnError::kFail);
    EXPECT_EQ(decision.pool, nullptr);
    EXPECT_EQ(decision.place.line, policy.rules[0].place.line);

    process.exe_text = "/usr/bin/perl";
    decision = decide(policy, process);
    EXPECT_EQ(decision.partition.name, "partition.half");
    EXPECT_EQ(decision.on_error, OnError::kWarn);

    process.exe_text = "/opt/x";
    decision = decide(policy, process);
    EXPECT_EQ(decision.kind, Kind::kIgnore);
    EXPECT_EQ(decision.rule, nullptr);
}

TEST(Decide, NoMatchDecidesWhenNoRuleDoes) {
    const auto kind = [](const char* no_match) {
        return decide(rules("", std::string("[defaults]\non_error = \"warn\"\nno_match = \"") +
                                    no_match + "\"\n"),
                      FakeProcess());
    };
    EXPECT_EQ(kind("ignore").kind, Kind::kIgnore);
    EXPECT_EQ(kind("deny").kind, Kind::kDeny);
    EXPECT_EQ(kind("deny").place.line, 4U);
    EXPECT_EQ(kind("deny").on_error, OnError::kWarn);
    EXPECT_EQ(kind("partition.half").partition.name, "partition.half");
    EXPECT_EQ(kind("pool.paper").kind, Kind::kError);  // no rank
}

TEST(Decide, RulesMayIgnoreAndDeny) {
    EXPECT_EQ(decide(rules("[[rule]]\nuse = \"ignore\"\n"), FakeProcess()).kind, Kind::kIgnore);
    const Policy deny = rules("[[rule]]\nuse = \"deny\"\non_error = \"warn\"\n");
    EXPECT_EQ(decide(deny, FakeProcess()).kind, Kind::kDeny);
    EXPECT_EQ(decide(deny, FakeProcess()).on_error, OnError::kWarn);
}

TEST(Decide, TheRankTakesTheSlot) {
    const Policy policy = rules("[[rule]]\nuse = \"pool.paper\"\n");
    FakeProcess process;
    process.variables = {{"PARSL_WORKER_RANK", "2"}};
    const Decision decision = decide(policy, process);
    ASSERT_EQ(decision.kind, Kind::kPartition);
    EXPECT_EQ(decision.partition.name, "pool.paper[2]");
    EXPECT_EQ(decision.partition.share, 10.0);
    EXPECT_EQ(decision.pool, &policy.pools.at("pool.paper"));
    EXPECT_EQ(decision.rank, 2U);
    EXPECT_EQ(decision.rank_variable, "PARSL_WORKER_RANK");
}

std::string error_with(const std::map<std::string, std::string>& variables) {
    const Policy policy = rules("[[rule]]\nuse = \"pool.paper\"\non_error = \"warn\"\n");
    FakeProcess process;
    process.variables = variables;
    const Decision decision = decide(policy, process);
    EXPECT_EQ(decision.kind, Kind::kError);
    EXPECT_EQ(decision.on_error, OnError::kFail) << "nobody frees himself by a wrong rank";
    EXPECT_NE(decision.rule, nullptr);
    return decision.error;
}

TEST(Decide, ARankThatIsNoneIsAnError) {
    EXPECT_EQ(error_with({}),
              "pool.paper gives its slots by local rank, and none of RATION_RANK, "
              "PARSL_WORKER_RANK, LOCAL_RANK, OMPI_COMM_WORLD_LOCAL_RANK, "
              "MV2_COMM_WORLD_LOCAL_RANK, MPI_LOCALRANKID, PMI_LOCAL_RANK, PALS_LOCAL_RANKID, "
              "SLURM_LOCALID is set: set RATION_RANK (0 to 2)");
    EXPECT_EQ(error_with({{"LOCAL_RANK", "3"}}),
              "LOCAL_RANK=3, but pool.paper has 3 slots, ranks 0 to 2: give it more slots or start "
              "fewer processes");
    EXPECT_EQ(error_with({{"LOCAL_RANK", "4294967295"}}).rfind("LOCAL_RANK=4294967295, but", 0),
              0U);
    for (const char* text : {"-1", "one", "1.0", " 1", "4294967296", "0x1", "1\n"}) {
        EXPECT_NE(error_with({{"LOCAL_RANK", text}})
                      .find(" is not a number: pool.paper has the "
                            "ranks 0 to 2"),
                  std::string::npos)
            << text;
    }
    EXPECT_EQ(error_with({{"LOCAL_RANK", "1\n"}}).find('\n'), std::string::npos);
}

TEST(Decide, RanksHaveAnOrder) {
    FakeProcess process;
    EXPECT_FALSE(local_rank(process));
    process.variables["PMIX_RANK"] = "9";  // global
    EXPECT_FALSE(local_rank(process));
    // From the last to the first: each beats those before it.
    for (std::size_t i = kRankVariables.size(); i-- > 0;) {
        process.variables[kRankVariables[i]] = std::to_string(i);
        const auto rank = local_rank(process);
        ASSERT_TRUE(rank);
        EXPECT_EQ(rank->variable, kRankVariables[i]);
        EXPECT_EQ(rank->number, i);
    }
    EXPECT_STREQ(kRankVariables[0], "RATION_RANK");
    // A Parsl worker under srun has both.
    process.variables = {{"PARSL_WORKER_RANK", "3"}, {"SLURM_LOCALID", "0"}};
    EXPECT_EQ(local_rank(process)->number, 3U);
    // One that is empty is not set; one that is no number is not passed over.
    process.variables = {{"PARSL_WORKER_RANK", ""}, {"SLURM_LOCALID", "1"}};
    EXPECT_EQ(local_rank(process)->variable, "SLURM_LOCALID");
    process.variables = {{"PARSL_WORKER_RANK", "x"}, {"SLURM_LOCALID", "1"}};
    EXPECT_EQ(local_rank(process)->variable, "PARSL_WORKER_RANK");
    EXPECT_FALSE(local_rank(process)->number);
}

Decision with_use(const Policy& policy, const char* use) {
    FakeProcess process;
    process.variables = {{"RATION_USE", use}, {"LOCAL_RANK", "1"}};
    return decide(policy, process);
}

TEST(Decide, RationUseChoosesWhatIsOffered) {
    const Policy policy = rules(
        "[[rule]]\nuse = \"partition.quarter\"\nmay_use = [\"partition.half\", \"pool.paper\", "
        "\"ignore\"]\n");
    const Decision half = with_use(policy, "partition.half");
    EXPECT_EQ(half.partition.name, "partition.half");
    EXPECT_EQ(half.chosen_by, "RATION_USE");
    EXPECT_EQ(with_use(policy, "pool.paper").partition.name, "pool.paper[1]");
    EXPECT_EQ(with_use(policy, "ignore").kind, Kind::kIgnore);
    // Its own use is no choice; empty is not set.
    EXPECT_EQ(with_use(policy, "partition.quarter").partition.name, "partition.quarter");
    EXPECT_EQ(with_use(policy, "partition.quarter").chosen_by, "");
    EXPECT_EQ(with_use(policy, "").partition.name, "partition.quarter");

    const Decision wrong = with_use(policy, "half");
    EXPECT_EQ(wrong.kind, Kind::kError);
    EXPECT_EQ(wrong.error,
              "RATION_USE=half is not offered: set it to one of partition.quarter, partition.half, "
              "pool.paper, ignore");
    EXPECT_EQ(with_use(policy, "deny").kind, Kind::kError);
}

TEST(Decide, RationUseNeedsAnOffer) {
    const Policy none = rules("[[rule]]\nuse = \"partition.quarter\"\n");
    EXPECT_EQ(with_use(none, "partition.half").error,
              "RATION_USE=partition.half, but the policy offers no choice here, only "
              "partition.quarter: unset RATION_USE");
    EXPECT_EQ(with_use(none, "partition.quarter").kind, Kind::kPartition);
    const Policy empty = rules("");
    EXPECT_EQ(with_use(empty, "partition.half").error,
              "RATION_USE=partition.half, but no rule of the policy matches this process: unset "
              "RATION_USE");
    EXPECT_EQ(with_use(empty, "ignore").kind, Kind::kIgnore);
}

TEST(Decide, APolicyWithHolesIsAnErrorNotACrash) {
    Policy policy;
    policy.rules.emplace_back().use = {Use::Kind::kPartition, "partition.x", {}};
    EXPECT_EQ(decide(policy, FakeProcess()).error, "partition.x is not defined by the policy");
    policy.rules[0].use = {Use::Kind::kPool, "pool.x", {}};
    EXPECT_EQ(decide(policy, FakeProcess()).error, "pool.x is not defined by the policy");
    policy.pools["pool.x"].name = "pool.x";
    FakeProcess process;
    process.variables = {{"RATION_RANK", "0"}};
    EXPECT_EQ(decide(policy, process).error, "pool.x has no slots");
}

// A process whose environment does not fit into memory.
struct ExhaustedProcess final : Subject {
    const std::string& exe() const override { return none_; }
    const std::string& script() const override { return none_; }
    const std::string& argv() const override { return none_; }
    const std::string& cgroup() const override { return none_; }
    const std::string& host() const override { return none_; }
    uid_t uid() const override { return 0; }
    const std::vector<gid_t>& groups() const override { return no_groups_; }
    std::optional<std::string> env(const std::string&) const override { throw std::bad_alloc(); }

  private:
    std::string none_;
    std::vector<gid_t> no_groups_;
};

TEST(Decide, AWantOfMemoryIsAnErrorThatSaysSo) {
    const Decision decision = decide(Policy(), ExhaustedProcess());
    EXPECT_EQ(decision.kind, Kind::kError);
    EXPECT_EQ(decision.error, "no memory to decide: retry");
}

}  // namespace
}  // namespace ration::policy
