#include <gmock/gmock.h>

#include "shim/cuda/admission.h"
#include "shim/cuda/context_error.h"
#include "shim/cuda/verify.h"
#include "tests/unit/cuda_inventory.h"

namespace ration::cuda {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Plan share_plan(double percent) {
    Plan plan;
    plan.applied = Applied::kMps;
    plan.asked = percent_text(percent);
    plan.percent = percent;
    return plan;
}

Reading reading(unsigned sms, std::optional<bool> mps = true, int device = 0) {
    return {uuid(device), mps, sms};
}

const Totals kTotals = {{uuid(0), 132}, {uuid(1), 132}};

Grant granted(const Or<Grant>& result) {
    const Refusal* refusal = refusal_of(result);
    EXPECT_EQ(refusal, nullptr) << refusal->line;
    return refusal == nullptr ? std::get<Grant>(result) : Grant{};
}

Refusal refused(const Or<Grant>& result) {
    const Refusal* refusal = refusal_of(result);
    return refusal == nullptr ? Refusal{CUDA_SUCCESS, "not refused"} : *refusal;
}

std::string line_of(const Grant& grant) {
    state::Record record;
    describe(grant, record);
    return grant_line(record);
}

TEST(Verify, TellsAGrantInOneLine) {
    const Grant grant = granted(verify(share_plan(25), {reading(32)}, kTotals));
    EXPECT_EQ(line_of(grant), "asked 25 %, granted 32 of 132 SMs (24.2 %), mps, concurrent: yes");
    EXPECT_THAT(grant.notes, IsEmpty());
}

TEST(Verify, LeavesOutWhatIsUnknown) {
    EXPECT_EQ(line_of(granted(verify(share_plan(25), {reading(32)}, {}))),
              "asked 25 %, granted 32 SMs, mps, concurrent: yes");
}

TEST(Verify, TellsSeveralDevicesAndMemory) {
    Plan plan = share_plan(50);
    plan.goals = {{uuid(0), 132, 2048}, {uuid(1), 132, 2048}};
    EXPECT_EQ(line_of(granted(verify(plan, {reading(66), reading(66, true, 1)}, {}))),
              "asked 50 %, granted 66 of 132 SMs (50.0 %) on each of 2 devices, mps, concurrent: "
              "yes, memory 2048 MiB");
    EXPECT_THAT(line_of(granted(verify(plan, {reading(66), reading(64, true, 1)}, {}))),
                HasSubstr("granted 66 of 132 SMs (50.0 %); 64 of 132 SMs (48.5 %), mps"));
}

// All that a real driver was seen to grant (H100, 580.159.04) is a grant.
TEST(Verify, TakesEveryGrantOfARealDriver) {
    const std::pair<double, unsigned> seen[] = {
        {1, 8},     {5, 8},      {7, 8},   {7.95, 10}, {10, 12},  {25, 32},  {25.5, 32},
        {33.3, 42}, {33.34, 44}, {50, 66}, {75, 98},   {99, 130}, {100, 132}};
    for (const auto& [percent, sms] : seen) {
        EXPECT_EQ(granted(verify(share_plan(percent), {reading(sms)}, kTotals)).devices[0].granted,
                  sms)
            << percent;
    }
}

TEST(Verify, NotesADriversMinimum) {
    EXPECT_THAT(granted(verify(share_plan(1), {reading(8)}, kTotals)).notes,
                ElementsAre(HasSubstr("smallest share")));
}

TEST(Verify, NotesASmallerLimitOfTheDaemon) {
    for (const double percent : {50.0, 100.0}) {
        EXPECT_THAT(granted(verify(share_plan(percent), {reading(32)}, kTotals)).notes,
                    ElementsAre(HasSubstr("smaller limit of its own")));
    }
}

TEST(Verify, RefusesAShareThatTheDriverIgnored) {
    EXPECT_THAT(refused(verify(share_plan(25), {reading(132)}, kTotals)).line,
                AllOf(HasSubstr("ignored the share of 25 %"), HasSubstr("132 SMs")));
    EXPECT_THAT(refused(verify(share_plan(25), {reading(64)}, kTotals)).line,
                HasSubstr("gives 64 SMs"));
}

TEST(Verify, RefusesAFewSmsTooManyAboveTheMinimum) {
    EXPECT_THAT(refused(verify(share_plan(50), {reading(74)}, kTotals)).line,
                AllOf(HasSubstr("gives 74 SMs"), HasSubstr("50 % is 66 SMs")));
    EXPECT_THAT(refused(verify(share_plan(33.26), {reading(44)}, kTotals)).line,
                HasSubstr("gives 44 SMs"));
    EXPECT_THAT(granted(verify(share_plan(6), {reading(14)}, kTotals)).notes,
                ElementsAre(HasSubstr("smallest share")))
        << "a part with a larger minimum";
    EXPECT_THAT(refused(verify(share_plan(6), {reading(18)}, kTotals)).line,
                HasSubstr("gives 18 SMs"));
}

TEST(Verify, NotesWhatItCouldNotCompare) {
    EXPECT_THAT(granted(verify(share_plan(25), {reading(32)}, {})).notes,
                ElementsAre(HasSubstr("not compared with the share")));
    EXPECT_THAT(granted(verify(share_plan(100), {reading(132)}, {})).notes, IsEmpty());
}

TEST(Verify, RefusesADeviceThatMpsDoesNotServe) {
    const Refusal refusal = refused(verify(share_plan(25), {reading(132, false)}, {}));
    EXPECT_EQ(refusal.code, CUDA_ERROR_MPS_CONNECTION_FAILED);
    EXPECT_THAT(refusal.line, HasSubstr("without it"));
}

TEST(Verify, JudgesAnOldDriverByItsSms) {
    EXPECT_THAT(granted(verify(share_plan(25), {reading(32, std::nullopt)}, kTotals)).notes,
                ElementsAre(HasSubstr("judged by the number of SMs")));
    EXPECT_THAT(refused(verify(share_plan(25), {reading(132, std::nullopt)}, kTotals)).line,
                HasSubstr("ignored"));
    EXPECT_THAT(refused(verify(share_plan(25), {reading(32, std::nullopt)}, {})).line,
                HasSubstr("does not tell whether MPS"));
}

TEST(Verify, ADeviceSmallerThanTheMinimumIsGrantedWhole) {
    EXPECT_EQ(granted(verify(share_plan(25), {reading(6)}, {{uuid(0), 6}})).devices[0].granted, 6U);
}

TEST(Verify, RefusesOtherDevicesThanThePlans) {
    Plan plan;
    plan.lasting = {{"CUDA_VISIBLE_DEVICES", uuid(1)}};
    plan.goals = {{uuid(1), 132, 0}};
    EXPECT_THAT(refused(verify(plan, {reading(132, false, 0)}, {})).line,
                AllOf(HasSubstr(uuid(0)), HasSubstr("LD_PRELOAD")));
    const Grant grant = granted(verify(plan, {reading(132, false, 1)}, {}));
    EXPECT_EQ(line_of(grant), "asked , granted 132 of 132 SMs (100.0 %), none, concurrent: no");
}

TEST(Verify, RefusesADeviceThatTheLimitsAreNotFor) {
    Plan plan = share_plan(12.5);
    plan.goals = {{uuid(0), 132, 2048}, {uuid(1), 132, 2048}};
    plan.bound_to_goals = true;
    EXPECT_THAT(refused(verify(plan, {reading(16, true, 2)}, {})).line,
                AllOf(HasSubstr("shows " + uuid(2)), HasSubstr("asked of " + uuid(0))));
    EXPECT_EQ(granted(verify(plan, {reading(16, true, 1)}, {})).devices[0].memory, 2048U);
    EXPECT_THAT(refused(verify(plan, {{"", true, 16}}, {})).line, HasSubstr("asked of"))
        << "which of the two it is nobody tells";
    plan.goals.pop_back();
    EXPECT_EQ(granted(verify(plan, {{"", true, 16}}, {})).devices.size(), 1U);
    plan.goals.clear();
    EXPECT_THAT(refused(verify(plan, {reading(16)}, {})).line, HasSubstr("asked of none"));
}

TEST(Verify, RefusesMoreThanTheOneInstance) {
    Plan plan;
    plan.applied = Applied::kMig;
    plan.asked = "MIG-1";
    plan.lasting = {{"CUDA_VISIBLE_DEVICES", "MIG-1"}};
    plan.goals = {{"MIG-1", 16, 0}};
    const Reading instance = {"MIG-1", false, 16};
    EXPECT_EQ(line_of(granted(verify(plan, {instance}, {}))),
              "asked MIG-1, granted 16 of 16 SMs (100.0 %), mig, concurrent: yes");
    EXPECT_THAT(refused(verify(plan, {instance, instance}, {})).line, HasSubstr("other devices"));
    EXPECT_THAT(refused(verify(plan, {{"MIG-2", false, 16}}, {})).line, HasSubstr("MIG-2"));
    EXPECT_EQ(granted(verify(plan, {{uuid(0), false, 16}}, {})).devices[0].granted, 16U)
        << "before CUDA 11.4 the driver tells the GPU's UUID";
}

// Slots that add up to 100 % but not in SMs.
TEST(Admit, RefusesAPoolWhoseMinimaExceedTheDevice) {
    Plan plan = share_plan(5);
    plan.pool = "pool.p";
    plan.slots.assign(20, {5.0, std::nullopt, {}});
    const auto refusal = admit(plan, {{uuid(0), 8, 132, 0}});
    ASSERT_TRUE(refusal);
    EXPECT_THAT(refusal->line, AllOf(HasSubstr("20 slots"), HasSubstr("160 SMs"), HasSubstr("132"),
                                     HasSubstr("oversubscribe")));
    plan.slots.resize(16);
    EXPECT_FALSE(admit(plan, {{uuid(0), 8, 132, 0}}));
    EXPECT_FALSE(admit(plan, {{uuid(0), 8, 0, 0}})) << "unknown size";
}

TEST(Admit, CountsASlotOnItsOwnDevicesOnly) {
    Plan plan = share_plan(5);
    plan.slots.assign(16, {5.0, std::nullopt, {uuid(0)}});
    plan.slots.resize(32, {5.0, std::nullopt, {uuid(1)}});
    EXPECT_FALSE(admit(plan, {{uuid(0), 8, 132, 0}}));
    plan.slots.push_back({std::nullopt, 10, {}});
    EXPECT_TRUE(admit(plan, {{uuid(0), 8, 132, 0}}));
}

Grant mps_grant(std::uint64_t memory) {
    return {"25 %", "mps", true, {{uuid(0), 32, 132, memory}}, {}};
}

TEST(ExplainContextError, SaysWhatToDo) {
    const std::pair<int, const char*> expected[] = {
        {805, "`ration mps ensure`"}, {806, "restart the program"}, {807, "retry"},
        {808, "48, or 60"},           {809, "fewer processes"},     {810, "restart the program"}};
    for (const auto& [code, text] : expected) {
        EXPECT_THAT(explain_context_error(static_cast<CUresult>(code), mps_grant(0)).value_or(""),
                    HasSubstr(text))
            << code;
    }
    EXPECT_FALSE(explain_context_error(CUDA_ERROR_INVALID_VALUE, mps_grant(0)));
}

TEST(ExplainContextError, BlamesTheLimitOnlyWhereThereIsOne) {
    EXPECT_THAT(*explain_context_error(CUDA_ERROR_OUT_OF_MEMORY, mps_grant(100)),
                HasSubstr("limit of 100 MiB"));
    EXPECT_FALSE(explain_context_error(CUDA_ERROR_OUT_OF_MEMORY, mps_grant(0)));
    Grant other = mps_grant(100);
    other.mechanism = "mig";
    EXPECT_FALSE(explain_context_error(CUDA_ERROR_OUT_OF_MEMORY, other));
}

// A driver whose answers a test sets.
struct Answers {
    CUresult device = CUDA_SUCCESS;
    std::size_t free_mib = 0;
    unsigned affinity = 0;
    CUresult memory = CUDA_SUCCESS;
};
Answers answers;

Driver answering() {
    Driver driver;
    driver.cuCtxGetDevice = [](CUdevice* device) {
        *device = 0;
        return answers.device;
    };
    driver.cuMemGetInfo_v2 = [](std::size_t* free, std::size_t* total) {
        *free = answers.free_mib << 20;
        *total = 80ULL << 30;
        return answers.memory;
    };
    driver.cuCtxGetExecAffinity = [](CUexecAffinityParam* parameter, CUexecAffinityType type) {
        parameter->type = type;
        parameter->param.smCount.val = answers.affinity;
        return CUDA_SUCCESS;
    };
    return driver;
}

TEST(ContextDevice, IsKnownWhereOneIsCurrent) {
    answers = {CUDA_ERROR_INVALID_CONTEXT, 0, 0};
    EXPECT_FALSE(context_device(answering()));
    answers = {CUDA_SUCCESS, 0, 0};
    EXPECT_EQ(context_device(answering()), 0);
}

// Else the hooks would be gone when libcudart retains it, and error 808 would pass without a word.
TEST(CheckContext, WaitsForAPrimaryContextThatIsRetained) {
    answers = {CUDA_SUCCESS, 0, 132, CUDA_ERROR_CONTEXT_IS_DESTROYED};
    EXPECT_FALSE(check_context(answering(), mps_grant(0), 0).done);
    EXPECT_FALSE(check_context(answering(), mps_grant(2048), 0).done);
}

TEST(CheckContext, PassesWhatIsWithinTheGrant) {
    answers = {CUDA_SUCCESS, 1903, 32};
    const ContextCheck check = check_context(answering(), mps_grant(2048), 0);
    EXPECT_TRUE(check.done);
    EXPECT_FALSE(check.refusal);
}

TEST(CheckContext, RefusesALimitThatTheDriverIgnored) {
    answers = {CUDA_SUCCESS, 80488, 32};
    EXPECT_THAT(check_context(answering(), mps_grant(2048), 0).refusal->line,
                AllOf(HasSubstr("ignored the memory limit"), HasSubstr("80488 MiB")));
    EXPECT_FALSE(check_context(answering(), mps_grant(0), 0).refusal);
}

TEST(CheckContext, RefusesMoreSmsThanGranted) {
    answers = {CUDA_SUCCESS, 0, 132};
    EXPECT_THAT(check_context(answering(), mps_grant(0), 0).refusal->line, HasSubstr("132 SMs"));
}

TEST(CheckContext, NeedsNoAffinityCall) {
    answers = {CUDA_SUCCESS, 0, 132};
    Driver old = answering();
    old.cuCtxGetExecAffinity = nullptr;
    EXPECT_FALSE(check_context(old, mps_grant(0), 0).refusal);
}

}  // namespace
}  // namespace ration::cuda
