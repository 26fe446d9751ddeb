// What explain predicts for groups of SMs, from what the driver and the lock files would say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/ration/green_prediction.h"

namespace ration::tool {
namespace {

using cuda::green::GreenPlan;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kDevice = "GPU-aa";

class GreenPrediction : public testing::Test {
  protected:
    GreenPrediction() { plan_.wishes.emplace_back(); }

    static cuda::green::Layout layout(policy::SmGranularity granularity) {
        cuda::green::Layout made;
        made.uuid = kDevice;
        made.total = 132;
        const bool fine = granularity == policy::SmGranularity::kFine;
        made.flags = fine ? CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING : 0;
        made.rest = fine ? 0 : 12;
        made.groups.resize(fine ? 66 : 15);
        for (CUdevResource& group : made.groups) {
            group.sm.smCount = fine ? 2 : 8;
        }
        return made;
    }

    cuda::Or<cuda::DeviceGrant> predict() {
        notes_.clear();
        const GroupFacts facts{[](const std::string&, policy::SmGranularity granularity) {
                                   return layout(granularity);
                               },
                               [this](const std::string&) { return holders_; }};
        return predict_groups(plan_, 0, {kDevice, 0, 132, 0, {}}, facts, notes_);
    }

    unsigned granted() { return std::get<cuda::DeviceGrant>(predict()).granted; }
    std::string refusal() { return std::get<cuda::Refusal>(predict()).line; }

    void hold(unsigned first, unsigned last, bool exclusive) {
        state::Holder& holder = holders_.emplace_back();
        holder.pid = 4711;
        holder.exclusive = exclusive;
        for (unsigned group = first; group <= last; ++group) {
            holder.groups.set(group);
        }
    }

    GreenPlan plan_;
    std::vector<state::Holder> holders_;
    std::vector<std::string> notes_;
};

TEST_F(GreenPrediction, RoundsDownToGroups) {
    plan_.wishes[0].share = 25;
    EXPECT_EQ(granted(), 32U);
    EXPECT_THAT(notes_, ElementsAre("33 SMs are asked for: rounded down to 4 of 15 groups of 8"));
    plan_.wishes[0].share = 5;
    EXPECT_THAT(refusal(), HasSubstr("granularity = \"fine\""));
    plan_.granularity = policy::SmGranularity::kFine;
    EXPECT_EQ(granted(), 6U);
    EXPECT_THAT(notes_, ElementsAre("6.6 SMs are asked for: rounded down to 3 of 66 groups of 2",
                                    HasSubstr("clusters of 4 and more")));
    plan_.wishes[0].share = 100;
    EXPECT_EQ(granted(), 132U);
    EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(GreenPrediction, SaysNothingOfWhatIsNotRounded) {
    plan_.wishes[0].sm = 32;
    EXPECT_EQ(granted(), 32U);
    EXPECT_THAT(notes_, IsEmpty());
    plan_.wishes[0].sm = 33;
    EXPECT_EQ(granted(), 32U);
    EXPECT_THAT(notes_, ElementsAre(HasSubstr("rounded down to 4 of 15")));
    plan_.wishes[0].sm = 131;  // more than all groups
    EXPECT_EQ(granted(), 120U);
    EXPECT_THAT(notes_, ElementsAre(HasSubstr("12 SMs in none")));
}

TEST_F(GreenPrediction, NamesTheGroupsThatAreNamed) {
    plan_.wishes[0].groups = {0, 1, 7};
    const auto grant = std::get<cuda::DeviceGrant>(predict());
    EXPECT_EQ(grant.granted, 24U);
    EXPECT_EQ(grant.groups, "0-1,7");
    plan_.wishes[0].groups = {15};
    EXPECT_THAT(refusal(), HasSubstr("there is no group 15"));
}

TEST_F(GreenPrediction, SaysWhoIsInTheWayAndWhatWouldFit) {
    plan_.wishes[0].sm = 64;  // 8 groups
    plan_.exclusive = true;
    hold(0, 6, false);
    EXPECT_EQ(granted(), 64U);
    EXPECT_THAT(notes_, ElementsAre(HasSubstr("other MPS clients")));  // 8 are free
    hold(7, 8, true);
    granted();
    EXPECT_THAT(notes_.back(),
                HasSubstr("6 of 15 groups (48 SMs, 36.3 %) of GPU-aa are free, groups 0-6 used by "
                          "pid 4711"));
    EXPECT_THAT(notes_.back(), HasSubstr("groups 7-8 held by pid 4711"));
    EXPECT_THAT(notes_.back(), HasSubstr(": a program that starts now is refused"));
    plan_.wait = std::chrono::minutes(1);
    granted();
    EXPECT_THAT(notes_.back(), HasSubstr("waits for up to 60 s"));
}

TEST_F(GreenPrediction, OnlyExclusiveOnesAreInTheWayOfOthers) {
    plan_.wishes[0].groups = {0};
    hold(0, 3, false);
    granted();
    EXPECT_THAT(notes_, IsEmpty());
    hold(0, 3, true);
    granted();
    EXPECT_THAT(notes_.back(), HasSubstr("11 of 15 groups"));
}

TEST_F(GreenPrediction, AnExclusiveShareHasNoRoomBesideOneOfThePercentage) {
    plan_.wishes[0].share = 25;
    plan_.exclusive = true;
    holders_.emplace_back().percentage = true;
    granted();
    EXPECT_THAT(notes_.back(), HasSubstr("0 of 15 groups (0 SMs, 0.0 %)"));
}

TEST_F(GreenPrediction, EachDeviceHasItsOwn) {
    plan_.wishes[0].share = 25;
    plan_.wishes.emplace_back().share = 50;
    const GroupFacts facts{
        [](const std::string&, policy::SmGranularity granularity) { return layout(granularity); },
        [](const std::string&) { return std::vector<state::Holder>(); }};
    const auto second = predict_groups(plan_, 1, {kDevice, 0, 132, 0, {}}, facts, notes_);
    EXPECT_EQ(std::get<cuda::DeviceGrant>(second).granted, 64U);
}

}  // namespace
}  // namespace ration::tool
