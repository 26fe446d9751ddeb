#include <gmock/gmock.h>

#include "shim/engine/ruling.h"
#include "tests/unit/cuda_inventory.h"

namespace ration::engine {
namespace {

using cuda::PipeOrigin;
using cuda::PipeState;
using cuda::uuid;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class FakeSubject : public policy::Subject {
  public:
    const std::string& exe() const override { return exe_; }
    const std::string& script() const override { return script_; }
    const std::string& argv() const override { return argv_; }
    std::optional<std::string> env(const std::string& name) const override {
        if (name == "RATION_RANK") return rank_;
        if (name == "RATION_USE") return use_;
        return std::nullopt;
    }
    uid_t uid() const override { return 1000; }
    const std::vector<gid_t>& groups() const override { return groups_; }
    const std::string& cgroup() const override { return cgroup_; }
    const std::string& host() const override { return host_; }

    std::string exe_ = "/usr/bin/python3.11", script_ = "/home/a/train.py", argv_, cgroup_, host_;
    std::optional<std::string> rank_, use_;
    std::vector<gid_t> groups_;
};

class RulingTest : public testing::Test {
  protected:
    Ruling ruling(const std::string& text) {
        policy::Found found;
        found.kind = policy::Found::Kind::kPolicy;
        found.loaded = policy::read({{"policy.toml", "schema = 1\n" + text, false, ""}});
        const cuda::Surroundings surroundings = {[](const std::string&) { return std::nullopt; },
                                                 [](bool) { return cuda::inventory_with_mig(); },
                                                 [this] { return pipes_; }};
        return rule(found, subject_, surroundings);
    }

    FakeSubject subject_;
    std::vector<cuda::MpsPipe> pipes_ = {
        {"/pipe", PipeOrigin::kPrivate, PipeState::kAlive, 0, 0, 0}};
};

TEST_F(RulingTest, LeavesProcessesAloneWithoutAPolicy) {
    const cuda::Surroundings none;
    policy::Found found;
    EXPECT_EQ(rule(found, subject_, none).kind, Ruling::Kind::kUntouched);
    found.kind = policy::Found::Kind::kDisabled;
    EXPECT_EQ(rule(found, subject_, none).kind, Ruling::Kind::kUntouched);
}

TEST_F(RulingTest, Confines) {
    const Ruling one = ruling("[partition.q]\nshare = \"25%\"\n[[rule]]\nuse = \"partition.q\"\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kConfined);
    EXPECT_EQ(one.plan.percent, 25);
    EXPECT_EQ(one.record.command, "python3.11 train.py");
    EXPECT_EQ(one.record.policy, "policy.toml:4");
    EXPECT_EQ(one.record.partition, "partition.q");
    EXPECT_EQ(one.record.asked, "25 %");
    EXPECT_EQ(one.record.state, state::State::kStarting);
    EXPECT_THAT(one.lines, IsEmpty());
}

TEST_F(RulingTest, TellsMistakesWithTheirPlaces) {
    const Ruling one = ruling("[partition.q]\nshare = \"140%\"\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kRefused);
    EXPECT_EQ(one.code, CUDA_ERROR_NOT_PERMITTED);
    EXPECT_THAT(one.lines, ElementsAre(StartsWith("policy.toml:3:")));
    EXPECT_EQ(one.record.why, one.lines.front());
}

TEST_F(RulingTest, TellsFiveMistakesAndHowManyMore) {
    std::string text;
    for (int i = 0; i < 8; ++i) {
        text += "[partition.p" + std::to_string(i) + "]\nshare = \"0%\"\n";
    }
    const Ruling one = ruling(text);
    ASSERT_THAT(one.lines, SizeIs(6));
    EXPECT_EQ(one.lines.back(), "... and 3 more: ration check policy.toml");
}

TEST_F(RulingTest, TellsASyntaxErrorAndFails) {
    const Ruling one = ruling("[partition.q\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kRefused);
    EXPECT_THAT(one.lines, ElementsAre(StartsWith("policy.toml:2:")));
}

TEST_F(RulingTest, WarnsOfMistakesWhereThePolicyPrefersThat) {
    const Ruling one = ruling("[defaults]\non_error = \"warn\"\n[partition.q]\nshare = \"0%\"\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kUnshared);
    EXPECT_EQ(one.record.state, state::State::kUnshared);
    EXPECT_THAT(one.lines, ElementsAre(HasSubstr("runs without a share")));
}

TEST_F(RulingTest, TellsARankBeyondThePool) {
    subject_.rank_ = "5";
    const Ruling one = ruling(
        "[pool.p]\nassign = \"rank\"\nshare = [\"25%\", \"25%\"]\n[[rule]]\nuse = \"pool.p\"\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kRefused);
    EXPECT_THAT(one.lines, ElementsAre(AllOf(StartsWith("policy.toml:"), HasSubstr("5"))));
}

TEST_F(RulingTest, NobodyFreesHimselfByAWrongRankOrChoice) {
    const std::string warn = "[defaults]\non_error = \"warn\"\n";
    const std::string pool =
        "[pool.p]\nassign = \"rank\"\nshare = [\"25%\", \"25%\"]\n[[rule]]\nuse = \"pool.p\"\n";
    for (const auto& rank : {std::optional<std::string>(), std::optional<std::string>("999"),
                             std::optional<std::string>("x")}) {
        subject_.rank_ = rank;
        EXPECT_EQ(ruling(warn + pool).kind, Ruling::Kind::kRefused) << rank.value_or("none");
    }
    subject_.use_ = "partition.big";
    for (const char* use : {"deny", "partition.q"}) {
        const Ruling one =
            ruling(warn + "[partition.q]\nshare = \"25%\"\n[[rule]]\nuse = \"" + use + "\"\n");
        EXPECT_EQ(one.kind, Ruling::Kind::kRefused) << use;
        EXPECT_EQ(one.record.state, state::State::kRefused) << use;
        EXPECT_THAT(one.lines, ElementsAre(HasSubstr("RATION_USE=partition.big"))) << use;
    }
    EXPECT_EQ(ruling(warn + "no_match = \"deny\"\n").kind, Ruling::Kind::kRefused);
}

TEST_F(RulingTest, TellsWhereAPartitionAsksForWhatIsNotThere) {
    const Ruling one = ruling("[partition.q]\ndevice = 9\n[[rule]]\nuse = \"partition.q\"\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kRefused);
    EXPECT_EQ(one.code, CUDA_ERROR_INVALID_DEVICE);
    EXPECT_THAT(one.lines,
                ElementsAre(AllOf(StartsWith("policy.toml:2:"), HasSubstr("no device 9"))));
}

TEST_F(RulingTest, NarrowsDevicesAlsoWhereTheShareCannotBeHad) {
    pipes_.clear();
    const Ruling one = ruling(
        "[defaults]\non_error = \"warn\"\n[partition.q]\nshare = \"25%\"\ndevice = 1\n"
        "[[rule]]\nuse = \"partition.q\"\n");
    EXPECT_EQ(one.kind, Ruling::Kind::kUnshared);
    ASSERT_THAT(one.plan.lasting, SizeIs(3));
    EXPECT_EQ(one.plan.lasting[0].value, uuid(1));
    EXPECT_THAT(one.plan.temporary, IsEmpty());
}

}  // namespace
}  // namespace ration::engine
