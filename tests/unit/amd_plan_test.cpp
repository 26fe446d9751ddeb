#include <gmock/gmock.h>

#include <map>

#include "shim/amd/plan.h"
#include "shim/policy/amount.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using policy::Partition;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A process with an environment on a node with GPUs.
class PlanTest : public testing::Test {
  protected:
    Or<Plan> make() {
        const Surroundings surroundings = {
            [this](const std::string& name) -> std::optional<std::string> {
                const auto found = environment_.find(name);
                if (found == environment_.end()) return std::nullopt;
                return found->second;
            },
            [this] { return gpus_; }};
        return make_plan(partition_, pool_ ? &*pool_ : nullptr, surroundings);
    }

    Plan plan() {
        const auto result = make();
        const Refusal* refusal = refusal_of(result);
        EXPECT_EQ(refusal, nullptr) << refusal->line;
        return refusal == nullptr ? std::get<Plan>(result) : Plan{};
    }

    std::string refusal() {
        const auto result = make();
        const Refusal* found = refusal_of(result);
        return found == nullptr ? "not refused" : found->line;
    }

    std::string lasting(const std::string& name) {
        for (const host::Edit& edit : plan().lasting) {
            if (edit.name == name) return edit.value;
        }
        return "unset";
    }

    void choose(Partition& partition, const std::string& device) {
        partition.devices.push_back(*policy::parse_device(device, true).value);
    }

    // A pool with these shares; the process has slot `own`.
    void take_slot(const std::vector<double>& shares, std::size_t own) {
        pool_.emplace();
        pool_->name = "pool.p";
        for (const double share : shares) {
            Partition slot;
            slot.name = "pool.p[" + std::to_string(pool_->slots.size()) + "]";
            slot.share = share;
            pool_->slots.push_back(slot);
        }
        partition_ = pool_->slots[own];
    }

    Partition partition_;
    std::optional<policy::Pool> pool_;
    std::vector<Gpu> gpus_ = {mi210(0), mi210(1)};
    std::map<std::string, std::string> environment_;
};

TEST_F(PlanTest, ShareOfEveryGpuThatIsSeen) {
    partition_.share = 25;
    const Plan made = plan();
    ASSERT_EQ(made.devices.size(), 2U);
    EXPECT_EQ(made.devices[1].gpu.place, 1U);
    EXPECT_EQ(made.devices[1].cus, 24U);
    EXPECT_THAT(made.devices[1].mask, ElementsAre(0x00FFFFFF, 0, 0, 0));
    EXPECT_THAT(made.lasting, IsEmpty());
    EXPECT_EQ(made.asked, "25 %");
    EXPECT_TRUE(made.masks());
}

TEST_F(PlanTest, NoSizeIsNoMask) {
    partition_.memory = policy::Memory{1ULL << 30U};
    const Plan made = plan();
    EXPECT_THAT(made.devices[0].mask, IsEmpty());
    EXPECT_EQ(made.devices[0].cus, 104U);
    EXPECT_FALSE(made.masks());
    EXPECT_EQ(made.asked, "all CUs");
}

TEST_F(PlanTest, OnlyTheGpusThatThisProcessSees) {
    partition_.share = 25;
    environment_["ROCR_VISIBLE_DEVICES"] = "1";
    const Plan made = plan();
    ASSERT_EQ(made.devices.size(), 1U);
    EXPECT_EQ(made.devices[0].gpu.place, 1U);
}

TEST_F(PlanTest, GpusThatTheProcessMaySeeLaterGetTheShareToo) {
    partition_.share = 2;
    partition_.memory = policy::Memory{25.0};
    gpus_ = {mi210(0), navi21(), mi300x()};
    for (unsigned i = 0; i < gpus_.size(); ++i) gpus_[i].index = gpus_[i].place = i;
    gpus_.push_back(mi210(3));
    environment_["ROCR_VISIBLE_DEVICES"] = "3";
    const Plan made = plan();
    ASSERT_EQ(made.devices.size(), 1U);
    ASSERT_EQ(made.hidden.size(), 1U) << "the others can give no such share";
    EXPECT_EQ(made.hidden[0].gpu.place, 0U);
    EXPECT_EQ(made.hidden[0].cus, 2U);
    EXPECT_EQ(made.hidden[0].memory, 16ULL << 30U);
    EXPECT_EQ(made.limits().size(), 2U);
    EXPECT_EQ(made.limits()[0].gpu.place, 3U);
    environment_["ROCR_VISIBLE_DEVICES"] = "";
    EXPECT_THAT(plan().devices, IsEmpty());
    EXPECT_TRUE(plan().masks());
}

TEST_F(PlanTest, GpusThatThePolicyDoesNotNameGetNothing) {
    partition_.share = 25;
    choose(partition_, "1");
    EXPECT_THAT(plan().hidden, IsEmpty());
}

TEST_F(PlanTest, APoolsUseIsThatOfTheGpusThatAreSeen) {
    take_slot({50, 50}, 1);
    environment_["ROCR_VISIBLE_DEVICES"] = "1";
    const Plan made = plan();
    ASSERT_EQ(made.hidden.size(), 1U);
    EXPECT_EQ(made.hidden[0].mask, made.devices[0].mask);
    EXPECT_EQ(made.pool.size(), 1U);
}

TEST_F(PlanTest, NoGpuIsNoMistake) {
    partition_.share = 25;
    gpus_.clear();
    EXPECT_THAT(plan().devices, IsEmpty());
}

TEST_F(PlanTest, CountOfCus) {
    partition_.cu = 26;
    EXPECT_EQ(plan().devices[0].cus, 24U);
    EXPECT_EQ(plan().asked, "26 CUs");
    partition_.cu = 104;
    EXPECT_EQ(plan().devices[0].cus, 104U);
    partition_.cu = 105;
    EXPECT_EQ(
        refusal(),
        "cu = 105: GPU 0 (aldebaran, gfx90a, 104 CUs) has fewer: the most is cu = 104, a share "
        "of 100%");
}

TEST_F(PlanTest, MaskAsWritten) {
    partition_.cu_mask = policy::EngineMasks{{0, 0x0F}, {1, 0x7F}};
    gpus_ = {four_engines()};
    EXPECT_THAT(plan().devices[0].mask, ElementsAre(0x02223333, 0));
    EXPECT_EQ(plan().devices[0].cus, 11U);
    EXPECT_EQ(plan().asked, "cu_mask = { 0 = \"0x0f\", 1 = \"0x7f\" }");
    partition_.cu_mask = policy::EngineMasks{{9, 1}};
    EXPECT_THAT(refusal(), HasSubstr("no shader engine 9"));
}

TEST_F(PlanTest, DistributionByEngines) {
    partition_.share = 25;
    partition_.distribution = policy::Distribution::kEngines;
    EXPECT_EQ(plan().devices[0].cus, 26U);
}

TEST_F(PlanTest, RefusesLessThanCanBeHadAndNamesTheNearest) {
    partition_.share = 1;
    gpus_ = {mi300x()};
    EXPECT_EQ(
        refusal(),
        "share = 1 %: GPU 0 (aqua_vanjaram, gfx942, 304 CUs) can give no less than 8 CUs to a "
        "process, at least one in each of its XCCs: the nearest share is \"2.64%\" (cu = 8)");
    partition_.share = 2.64;
    EXPECT_EQ(plan().devices[0].cus, 8U);
    partition_.share = 0.5;
    gpus_ = {mi210()};
    EXPECT_THAT(refusal(),
                HasSubstr("no less than 1 CU to a process: the nearest share is \"0.97%\""));
    partition_.share = 2;
    gpus_ = {navi21()};
    EXPECT_THAT(refusal(), AllOf(HasSubstr("as they come in pairs"), HasSubstr("\"2.5%\"")));
}

// The share that the refusal names must itself be possible.
TEST_F(PlanTest, TheNearestShareIsPossibleOnEveryModel) {
    for (const Gpu& gpu : all_models()) {
        gpus_ = {gpu};
        partition_.share = 0.5;
        const std::string line = refusal();
        const std::size_t at = line.find('"');
        ASSERT_NE(at, std::string::npos) << line;
        const auto share =
            policy::parse_share(line.substr(at + 1, line.find('"', at + 1) - at - 1));
        ASSERT_TRUE(share.value) << line;
        partition_.share = *share.value;
        EXPECT_EQ(plan().devices[0].cus, least_cus(gpu)) << line;
    }
}

TEST_F(PlanTest, RefusesWhatIsNvidias) {
    partition_.sm = 32;
    EXPECT_THAT(refusal(), HasSubstr("cu = N, or share"));
    partition_.sm.reset();
    partition_.mig = "MIG-1";
    EXPECT_THAT(refusal(), HasSubstr("mig names a part of an NVIDIA GPU"));
    partition_.mig.reset();
    partition_.mechanism = policy::Mechanism::kMps;
    EXPECT_THAT(refusal(), HasSubstr("\"cu-mask\", or \"auto\""));
    partition_.mechanism = policy::Mechanism::kGreen;
    EXPECT_THAT(refusal(), HasSubstr("\"cu-mask\", or \"auto\""));
}

TEST_F(PlanTest, RefusesWhatNoMaskKeeps) {
    const policy::Partition plain;
    const auto refused = [&](const char* key) {
        EXPECT_THAT(refusal(), HasSubstr(std::string(key) + " is kept on NVIDIA GPUs only"));
        partition_ = plain;
    };
    partition_.sm_groups = {0};
    refused("sm_groups");
    partition_.device_share = {25};
    refused("device_share");
    partition_.exclusive = true;
    refused("exclusive");
    partition_.granularity = policy::SmGranularity::kFine;
    refused("granularity");
    partition_.scope = policy::Scope::kUser;
    refused("scope");
}

TEST_F(PlanTest, PriorityIsNotedAndNothingElse) {
    partition_.share = 25;
    partition_.priority = 1;
    EXPECT_THAT(plan().notes, ElementsAre("priority has no effect on AMD GPUs"));
}

TEST_F(PlanTest, DevicesBecomeTheListOfRocr) {
    choose(partition_, "1");
    EXPECT_EQ(lasting("ROCR_VISIBLE_DEVICES"), "GPU-00000000000000a1");
    EXPECT_EQ(lasting("RATION_GIVEN_ROCR_VISIBLE_DEVICES"), "all");
    EXPECT_EQ(lasting("RATION_NARROWED_ROCR_VISIBLE_DEVICES"), "GPU-00000000000000a1");
    EXPECT_EQ(lasting("HIP_VISIBLE_DEVICES"), "unset");
}

TEST_F(PlanTest, ListsThatCountWithinTheListOfRocrFollow) {
    environment_["HIP_VISIBLE_DEVICES"] = "1,0";
    environment_["GPU_DEVICE_ORDINAL"] = "1";
    choose(partition_, "1");
    EXPECT_EQ(lasting("HIP_VISIBLE_DEVICES"), "0");
    EXPECT_EQ(lasting("RATION_GIVEN_HIP_VISIBLE_DEVICES"), "1,0");
    EXPECT_EQ(lasting("GPU_DEVICE_ORDINAL"), "0");
}

TEST_F(PlanTest, CudasListIsOverruledWhereHipWouldReadIt) {
    environment_["CUDA_VISIBLE_DEVICES"] = "1";
    choose(partition_, "1");
    EXPECT_EQ(lasting("HIP_VISIBLE_DEVICES"), "0");
    EXPECT_EQ(lasting("CUDA_VISIBLE_DEVICES"), "unset");
}

TEST_F(PlanTest, ADeviceOutsideOfHipsListIsRefused) {
    environment_["HIP_VISIBLE_DEVICES"] = "0";
    choose(partition_, "1");
    EXPECT_THAT(refusal(), HasSubstr("HIP_VISIBLE_DEVICES=0"));
}

TEST_F(PlanTest, MemoryInWholeMebibytes) {
    partition_.memory = policy::Memory{(5ULL << 20U) + 7};
    EXPECT_EQ(plan().devices[0].memory, 5ULL << 20U);
    partition_.memory = policy::Memory{25.0};
    EXPECT_EQ(plan().devices[0].memory, 16ULL << 30U);
    gpus_[0].vram = 0;
    EXPECT_THAT(refusal(), HasSubstr("write the limit in GiB"));
    gpus_[0].vram = 1 << 20U;
    EXPECT_THAT(refusal(), HasSubstr("below 1 MiB"));
}

TEST_F(PlanTest, SlotsOfAPoolGetDisjointCus) {
    gpus_ = {mi300x()};
    Mask used = blank(gpus_[0]);
    for (std::size_t own = 0; own < 8; ++own) {
        take_slot(std::vector(8, 12.5), own);
        const Plan made = plan();
        EXPECT_EQ(made.devices[0].cus, 32U);
        ASSERT_EQ(made.pool.size(), 1U);
        EXPECT_EQ(made.pool[0].cus, std::vector<unsigned>(8, 32));
        EXPECT_EQ(made.pool[0].idle, 48U);
        for (std::size_t i = 0; i < used.size(); ++i) {
            EXPECT_EQ(used[i] & made.devices[0].mask[i], 0U);
            used[i] |= made.devices[0].mask[i];
        }
    }
}

TEST_F(PlanTest, SlotsOnOtherGpusTakeNothing) {
    take_slot({50, 50, 50}, 2);
    choose(pool_->slots[0], "0");
    choose(pool_->slots[1], "0");
    choose(pool_->slots[2], "1");
    partition_ = pool_->slots[2];
    const Plan made = plan();
    EXPECT_EQ(made.devices[0].mask[0] & 1U, 1U) << "the first CUs of GPU 1";
    EXPECT_THAT(made.pool[0].cus, ElementsAre(0, 0, 48));
}

TEST_F(PlanTest, APoolThatAsksForTooMuchIsRefusedUnlessItMay) {
    take_slot({50, 50}, 1);
    for (Partition& slot : pool_->slots) {
        slot.share.reset();
        slot.cu = 60;
    }
    partition_ = pool_->slots[1];
    EXPECT_THAT(refusal(), AllOf(HasSubstr("pool.p"), HasSubstr("oversubscribe = true")));
    pool_->oversubscribe = true;
    EXPECT_EQ(plan().devices[0].cus, 56U);
}

TEST_F(PlanTest, ASlotThatIsItselfImpossibleTakesNothingFromOthers) {
    take_slot({50, 0.5}, 0);
    EXPECT_THAT(plan().pool[0].cus, ElementsAre(48, 0));
}

TEST_F(PlanTest, SlotsOfOneGpuNeedOneDistribution) {
    take_slot({50, 50}, 0);
    pool_->slots[1].distribution = policy::Distribution::kEngines;
    EXPECT_THAT(refusal(), HasSubstr("different distributions"));
}

TEST_F(PlanTest, HsaCuMaskNarrowsTheGrant) {
    partition_.share = 25;
    environment_["HSA_CU_MASK"] = "0:0-15";
    const Plan made = plan();
    EXPECT_EQ(made.devices[0].cus, 16U);
    EXPECT_EQ(made.devices[0].mask[0], 0xFFFFU);
    EXPECT_EQ(made.devices[1].cus, 24U) << "GPU 1 is not in it";
    EXPECT_THAT(made.notes,
                ElementsAre("HSA_CU_MASK=0:0-15 is in the environment and leaves 16 of 24 CUs on "
                            "GPU 0 (aldebaran, gfx90a, 104 CUs)"));
}

TEST_F(PlanTest, HsaCuMaskHoldsWithoutASizeToo) {
    environment_["HSA_CU_MASK"] = "0:0-15";
    EXPECT_EQ(plan().devices[0].cus, 16U);
    EXPECT_FALSE(plan().masks());
}

TEST_F(PlanTest, HsaCuMaskCountsInTheListThatRocrWillSee) {
    partition_.share = 25;
    choose(partition_, "1");
    environment_["HSA_CU_MASK"] = "1:0-7";
    EXPECT_EQ(plan().devices[0].cus, 24U);
    environment_["HSA_CU_MASK"] = "0:0-7";
    EXPECT_EQ(plan().devices[0].cus, 8U);
}

TEST_F(PlanTest, MasksThatLeaveNothingAreRefused) {
    partition_.share = 25;
    environment_["HSA_CU_MASK"] = "0:24-31";
    EXPECT_EQ(refusal(),
              "HSA_CU_MASK=0:24-31 is in the environment and leaves no CU of this share on GPU 0 "
              "(aldebaran, gfx90a, 104 CUs): unset it");
    environment_ = {{"ROC_GLOBAL_CU_MASK", "0xff000000"}};
    EXPECT_THAT(refusal(), HasSubstr("ROC_GLOBAL_CU_MASK=0xff000000"));
}

TEST_F(PlanTest, MasksOfHipAloneAreNoted) {
    partition_.share = 25;
    gpus_.resize(1);
    EXPECT_FALSE(plan().hip_masks);
    environment_["ROC_GLOBAL_CU_MASK"] = "";
    EXPECT_FALSE(plan().hip_masks);
    EXPECT_THAT(plan().notes, IsEmpty());
    environment_["ROC_GLOBAL_CU_MASK"] = "0xff";
    EXPECT_TRUE(plan().hip_masks);
    EXPECT_EQ(plan().devices[0].cus, 24U);
    EXPECT_THAT(plan().notes, ElementsAre(HasSubstr("leaves 8 of 24 CUs to HIP's streams")));
    gpus_ = {navi21()};
    EXPECT_THAT(plan().notes, ElementsAre(AllOf(HasSubstr("HIP may use fewer CUs"),
                                                HasSubstr("counts CUs by it"))));
}

TEST_F(PlanTest, CusThatHipTellsByItsOwnMaskAreNoted) {
    partition_.share = 25;
    gpus_.resize(1);
    environment_["ROC_GLOBAL_CU_MASK"] = "0xffffffff";
    EXPECT_THAT(plan().notes,
                ElementsAre("ROC_GLOBAL_CU_MASK=0xffffffff makes HIP tell programs of 32 CUs "
                            "instead of the 24 that its streams have on GPU 0 (aldebaran, gfx90a, "
                            "104 CUs): unset it where they launch cooperative kernels"));
    environment_["ROC_GLOBAL_CU_MASK"] = "0xffffff";
    EXPECT_THAT(plan().notes, IsEmpty());
}

TEST_F(PlanTest, WhatHipsOwnMaskLeavesIsKnown) {
    partition_.share = 25;
    environment_["ROC_GLOBAL_CU_MASK"] = "0xff0000ff";
    EXPECT_EQ(plan().devices[0].hip_mask[0], 0xffU);
    EXPECT_EQ(plan().devices[0].mask[0], 0xffffffU);
    gpus_ = {navi21()};
    EXPECT_THAT(plan().devices[0].hip_mask, IsEmpty());
}

TEST_F(PlanTest, CountsDevicesAsHipDoes) {
    gpus_ = {mi210(0), mi210(1), mi210(2)};
    EXPECT_THAT(plan().hip_devices, ElementsAre(0, 1, 2));
    environment_["CUDA_VISIBLE_DEVICES"] = "1";
    EXPECT_THAT(plan().hip_devices, ElementsAre(1));
    environment_["HIP_VISIBLE_DEVICES"] = "2,0";
    EXPECT_THAT(plan().hip_devices, ElementsAre(2, 0));
    environment_["ROCR_VISIBLE_DEVICES"] = "2,1,0";
    EXPECT_THAT(plan().hip_devices, ElementsAre(2, 0)) << "within the list of ROCr";
    EXPECT_EQ(plan().devices[2].gpu.place, 0U);
    choose(partition_, "0");
    EXPECT_THAT(plan().hip_devices, ElementsAre(0)) << "narrowed, all of the new list";
}

TEST_F(PlanTest, AMistakeInHsaCuMaskIsNoted) {
    partition_.share = 25;
    environment_["HSA_CU_MASK"] = "0:0-";
    EXPECT_EQ(plan().devices[0].cus, 24U);
    EXPECT_THAT(plan().notes, ElementsAre(HasSubstr("has a mistake")));
}

}  // namespace
}  // namespace ration::amd
