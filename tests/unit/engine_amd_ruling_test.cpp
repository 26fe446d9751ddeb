#include <gmock/gmock.h>

#include "shim/engine/amd_ruling.h"
#include "tests/unit/amd_models.h"

namespace ration::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class AmdRulingTest : public testing::Test {
  protected:
    AmdRuling ruling(const std::string& text) {
        policy::Found found;
        found.kind = policy::Found::Kind::kPolicy;
        found.loaded = policy::read({{"policy.toml", "schema = 1\n" + text, false, ""}});
        return rule_amd(
            found, policy::this_process(),
            {[](const std::string&) { return std::nullopt; }, [this] { return gpus_; }});
    }

    std::vector<amd::Gpu> gpus_ = {amd::mi210()};
};

TEST_F(AmdRulingTest, Confines) {
    const AmdRuling one =
        ruling("[partition.q]\nshare = \"25%\"\n[[rule]]\nuse = \"partition.q\"\n");
    EXPECT_EQ(one.kind, AmdRuling::Kind::kConfined);
    ASSERT_EQ(one.plan.devices.size(), 1U);
    EXPECT_EQ(one.plan.devices.front().cus, 24U);
    EXPECT_EQ(one.record.partition, "partition.q");
    EXPECT_EQ(one.record.asked, "25 %");
    EXPECT_THAT(one.lines, IsEmpty());
}

TEST_F(AmdRulingTest, RefusesWithThePlaceOfThePartition) {
    const AmdRuling one = ruling("[partition.q]\nsm = 32\n[[rule]]\nuse = \"partition.q\"\n");
    EXPECT_EQ(one.kind, AmdRuling::Kind::kRefused);
    EXPECT_THAT(one.lines, ElementsAre(StartsWith("policy.toml:2:")));
    EXPECT_EQ(one.record.why, one.lines.front());
    EXPECT_EQ(one.record.state, state::State::kRefused);
}

TEST_F(AmdRulingTest, DeniesAndWarns) {
    EXPECT_TRUE(ruling("[[rule]]\nuse = \"deny\"\n").denied);
    const AmdRuling warned =
        ruling("[partition.q]\nsm = 32\n[[rule]]\nuse = \"partition.q\"\non_error = \"warn\"\n");
    EXPECT_EQ(warned.kind, AmdRuling::Kind::kUnshared);
    EXPECT_THAT(warned.lines.back(), HasSubstr("runs without a share"));
}

TEST_F(AmdRulingTest, StillNarrowsDevicesWhereItWarns) {
    gpus_ = {amd::mi210(0), amd::mi210(1)};
    const AmdRuling one = ruling(
        "[partition.q]\nsm = 32\ndevice = 1\n[[rule]]\nuse = \"partition.q\"\non_error = "
        "\"warn\"\n");
    ASSERT_FALSE(one.plan.lasting.empty());
    EXPECT_EQ(one.plan.lasting.front().value, gpus_[1].uuid);
}

// Communication libraries initialise HSA everywhere: what a policy says of NVIDIA's GPUs, and its
// mistakes, are not said here.
TEST_F(AmdRulingTest, HasNothingToSayWithoutAnAmdGpu) {
    gpus_.clear();
    for (const char* text : {"[partition.q]\nsm = 32\n[[rule]]\nuse = \"partition.q\"\n",
                             "[[rule]]\nuse = \"deny\"\n", "[partition.q]\nshare = \"140%\"\n"}) {
        const AmdRuling one = ruling(text);
        EXPECT_EQ(one.kind, AmdRuling::Kind::kUntouched) << text;
        EXPECT_THAT(one.lines, IsEmpty());
    }
}

}  // namespace
}  // namespace ration::engine
