// The hooks of contexts, after a granted cuInit.
#include <gmock/gmock.h>

#include <chrono>
#include <climits>
#include <future>

#include "shim/state/groups.h"
#include "tests/unit/engine_fakes.h"
#include "tests/unit/state_support.h"

namespace ration::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

CUexecAffinityParam sms(unsigned count) {
    CUexecAffinityParam parameter{};
    parameter.type = CU_EXEC_AFFINITY_TYPE_SM_COUNT;
    parameter.param.smCount.val = count;
    return parameter;
}

class ContextTest : public testing::Test {
  protected:
    void begin(const std::string& partition) {
        fakes_.policy("schema = 1\n[partition.p]\n" + partition +
                      "\n[[rule]]\nuse = \"partition.p\"\n");
        ASSERT_EQ(fakes_.attach(), 0);
        ASSERT_EQ(init(), CUDA_SUCCESS);
    }
    // The type is named, not an address taken: unoptimised sanitizers' builds would ask the linker
    // for a driver.
    template <class Function, class... Arguments>
    CUresult call(Hook hook, Arguments... arguments) {
        return reinterpret_cast<Function*>(routed(hook))(arguments...);
    }
    CUresult create_v3(CUexecAffinityParam* parameters, int count) {
        return call<decltype(::cuCtxCreate_v3)>(Hook::cuCtxCreate_v3, &context_, parameters, count,
                                                0U, 0);
    }
    CUresult create_v4(CUctxCreateParams* parameters) {
        return call<decltype(::cuCtxCreate_v4)>(Hook::cuCtxCreate_v4, &context_, parameters, 0U, 0);
    }

    Fakes fakes_;
    CUcontext context_ = nullptr;
};

TEST_F(ContextTest, AfterTheFirstOnlyAffinityIsStillOurs) {
    begin("share = \"25%\"");
    EXPECT_FALSE(is_real(Hook::cuCtxSetCurrent));
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    for (const Hook hook :
         {Hook::cuInit, Hook::cuCtxCreate, Hook::cuCtxCreate_v2, Hook::cuDevicePrimaryCtxRetain,
          Hook::cuCtxSetCurrent, Hook::cuCtxPushCurrent, Hook::cuCtxPushCurrent_v2}) {
        EXPECT_TRUE(is_real(hook)) << static_cast<unsigned>(hook);
    }
    EXPECT_FALSE(is_real(Hook::cuCtxCreate_v3));
    EXPECT_FALSE(is_real(Hook::cuCtxCreate_v4));
}

// A group of the device, asked for exclusively.
struct Exclusive {
    Exclusive() {
        std::string why;
        groups =
            state::Groups::open(state::lock_place(getenv("RATION_RUNTIME_DIR"), true), kUuid, why);
        state::Ask ask;
        ask.count = 1;
        ask.exclusive = true;
        if (groups) outcome = groups->take({"580", 0, {8, 8}}, ask).outcome;
    }
    std::unique_ptr<state::Groups> groups;
    state::Taken::Outcome outcome = state::Taken::Outcome::kUnusable;
};

// Whether another process that asks for exclusive groups is told to wait; nullopt: something else.
std::optional<bool> exclusive_groups_are_busy() {
    const int answer = state::Child::run([] { return static_cast<int>(Exclusive().outcome); });
    if (answer == static_cast<int>(state::Taken::Outcome::kTaken)) return false;
    if (answer == static_cast<int>(state::Taken::Outcome::kBusy)) return true;
    return std::nullopt;
}

TEST_F(ContextTest, APercentageKeepsExclusiveGroupsAway) {
    begin("share = \"25%\"");
    EXPECT_EQ(exclusive_groups_are_busy(), false) << "no context yet";
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(exclusive_groups_are_busy(), true);
}

TEST_F(ContextTest, AWholeDeviceIsNotMarked) {
    begin("share = \"100%\"");
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(exclusive_groups_are_busy(), false);
}

TEST_F(ContextTest, NoPercentageBesideExclusiveGroups) {
    state::Child holder([](const state::Child::Side& side) {
        const Exclusive exclusive;
        if (exclusive.outcome != state::Taken::Outcome::kTaken) return 1;
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(holder.await_ready());
    begin("share = \"25%\"");
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_NOT_PERMITTED);
    const std::string said = GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("group 0 held by pid " + std::to_string(holder.pid())));
    EXPECT_THAT(said, HasSubstr(std::string("exclusively, on ") + kUuid));
}

TEST_F(ContextTest, EachDeviceIsLookedAt) {
    driver->devices = 2;
    begin("share = \"25%\"");
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_FALSE(is_real(Hook::cuCtxSetCurrent)) << "the second device has had no context yet";
    driver->current = 1;
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_TRUE(is_real(Hook::cuCtxSetCurrent));
    EXPECT_FALSE(is_real(Hook::cuCtxCreate_v4));
}

TEST_F(ContextTest, TheSecondDeviceMayBeBeyondTheGrant) {
    driver->devices = 2;
    begin("share = \"25%\"");
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    driver->current = 1;
    driver->context_sms = 132;
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_THAT(GetCapturedStderr(), HasSubstr(kSecondUuid));
    driver->current = 0;
    EXPECT_EQ(set_current(), CUDA_ERROR_NOT_PERMITTED);
}

TEST_F(ContextTest, AnEntryPointThatTheDriverLacksIsNeverOurs) {
    driver->lacks_v4 = true;
    begin("share = \"25%\"");
    EXPECT_TRUE(is_real(Hook::cuCtxCreate_v4));
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_TRUE(is_real(Hook::cuCtxCreate_v4));
    EXPECT_FALSE(is_real(Hook::cuCtxCreate_v3));
}

TEST_F(ContextTest, WithoutAShareNothingIsOursAfterTheFirst) {
    begin("priority = 1");
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_TRUE(is_real(Hook::cuCtxCreate_v4));
}

TEST_F(ContextTest, AffinityStaysWithinTheGrant) {
    begin("share = \"25%\"");
    CUexecAffinityParam parameter = sms(16);
    EXPECT_EQ(create_v3(&parameter, 1), CUDA_SUCCESS);
    EXPECT_THAT(driver->asked_sms, ElementsAre(16));
    parameter = sms(32);
    EXPECT_EQ(create_v3(&parameter, 1), CUDA_SUCCESS);
    EXPECT_THAT(driver->asked_sms, IsEmpty());
    EXPECT_TRUE(driver->null_parameters);
    EXPECT_EQ(parameter.param.smCount.val, 32U) << "the caller's memory is the caller's";
}

TEST_F(ContextTest, AffinityOfV4StaysWithinTheGrant) {
    begin("share = \"25%\"");
    CUexecAffinityParam parameters[] = {sms(10)};
    CUctxCreateParams create{};
    create.execAffinityParams = parameters;
    create.numExecAffinityParams = 1;
    EXPECT_EQ(create_v4(&create), CUDA_SUCCESS);
    EXPECT_THAT(driver->asked_sms, ElementsAre(10));
    EXPECT_EQ(create.numExecAffinityParams, 1);
    EXPECT_EQ(create.execAffinityParams, parameters);
    parameters[0] = sms(32);
    EXPECT_EQ(create_v4(&create), CUDA_SUCCESS);
    EXPECT_TRUE(driver->null_parameters);
    EXPECT_EQ(create_v4(nullptr), CUDA_SUCCESS);
    EXPECT_TRUE(driver->null_parameters);
}

// Nobody reads what the caller does not have.
TEST_F(ContextTest, AnAbsurdNumberOfParametersIsTheDriversToRefuse) {
    begin("share = \"25%\"");
    CUexecAffinityParam parameter = sms(16);
    EXPECT_EQ(create_v3(&parameter, INT_MAX), CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
    EXPECT_FALSE(driver->null_parameters);
}

TEST_F(ContextTest, AContextOfMoreParametersThanThereAreTypesIsLookedAt) {
    begin("share = \"25%\"");
    CUexecAffinityParam parameters[] = {sms(16), sms(100)};
    EXPECT_EQ(create_v3(parameters, 2), CUDA_SUCCESS);
    driver->context_sms = 132;
    CaptureStderr();
    EXPECT_EQ(create_v3(parameters, 2), CUDA_ERROR_NOT_PERMITTED);
    GetCapturedStderr();
    EXPECT_EQ(driver->calls.back(), "destroy");
}

// One of two devices is never used, so that the hooks stay: they may not make threads wait.
TEST_F(ContextTest, ACheckedDeviceWaitsForNobody) {
    driver->devices = 2;
    begin("share = \"25%\"");
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    std::future<CUresult> other;
    std::future_status status{};
    driver->inside_check = [&] {
        other = std::async(std::launch::async, [] {
            use_in_this_thread(0);
            return set_current();
        });
        status = other.wait_for(std::chrono::seconds(5));
    };
    driver->current = 1;
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(status, std::future_status::ready);
    EXPECT_EQ(other.get(), CUDA_SUCCESS);
}

TEST_F(ContextTest, WithoutAShareAffinityIsTheProgramsOwn) {
    begin("priority = 1");
    CUexecAffinityParam parameter = sms(132);
    EXPECT_EQ(create_v3(&parameter, 1), CUDA_SUCCESS);
    EXPECT_THAT(driver->asked_sms, ElementsAre(132));
}

TEST_F(ContextTest, AFullServerIsExplainedOnceAndNotForEver) {
    begin("share = \"25%\"");
    driver->context_result = CUDA_ERROR_MPS_MAX_CLIENTS_REACHED;
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_MPS_MAX_CLIENTS_REACHED);
    EXPECT_EQ(set_current(), CUDA_ERROR_MPS_MAX_CLIENTS_REACHED);
    const std::string said = GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("wait until one ends"));
    EXPECT_EQ(said.find("ration:"), said.rfind("ration:"));
    EXPECT_EQ(fakes_.record().state, state::State::kRefused);
    EXPECT_THAT(fakes_.record().why, HasSubstr("as many clients"));
    driver->context_result = CUDA_SUCCESS;
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
    EXPECT_EQ(fakes_.record().why, "");
}

TEST_F(ContextTest, ARecordOfAFullServerIsRightedByTheNextContext) {
    driver->devices = 2;
    begin("share = \"25%\"");
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    driver->context_result = CUDA_ERROR_MPS_MAX_CLIENTS_REACHED;
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_MPS_MAX_CLIENTS_REACHED);
    GetCapturedStderr();
    EXPECT_EQ(fakes_.record().state, state::State::kRefused);
    driver->context_result = CUDA_SUCCESS;
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

// Whatever the call was, it leaves nothing behind.
TEST_F(ContextTest, OneBeyondTheGrantIsTakenBack) {
    const auto refused = [this](const char* undone, const auto& make) {
        begin("share = \"25%\"");
        driver->context_sms = 132;
        driver->calls.clear();
        context_ = nullptr;
        CaptureStderr();
        EXPECT_EQ(make(), CUDA_ERROR_NOT_PERMITTED) << undone;
        EXPECT_THAT(GetCapturedStderr(), HasSubstr("132 SMs, but the grant is 32")) << undone;
        EXPECT_EQ(driver->calls.size(), 2U) << undone;
        EXPECT_EQ(driver->calls.back(), undone);
        EXPECT_EQ(make(), CUDA_ERROR_NOT_PERMITTED) << undone;
        EXPECT_EQ(driver->calls.size(), 2U) << "the refusal stays";
        EXPECT_EQ(fakes_.records().back().record.state, state::State::kRefused);
    };
    refused("unset", &set_current);
    refused("pop", [this] {
        return call<decltype(::cuCtxPushCurrent_v2)>(Hook::cuCtxPushCurrent_v2, context_);
    });
    refused("destroy", [this] {
        return call<decltype(::cuCtxCreate_v2)>(Hook::cuCtxCreate_v2, &context_, 0U, 0);
    });
    EXPECT_EQ(context_, nullptr);
    refused("destroy", [this] { return create_v4(nullptr); });
    refused("release", [this] {
        return call<decltype(::cuDevicePrimaryCtxRetain)>(Hook::cuDevicePrimaryCtxRetain, &context_,
                                                          0);
    });
}

TEST_F(ContextTest, OneThatIsNotCurrentYetIsLookedAtLater) {
    begin("share = \"25%\"");
    driver->context_sms = 132;
    driver->no_current = true;
    EXPECT_EQ(
        call<decltype(::cuDevicePrimaryCtxRetain)>(Hook::cuDevicePrimaryCtxRetain, &context_, 0),
        CUDA_SUCCESS);
    driver->no_current = false;
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_NOT_PERMITTED);
    GetCapturedStderr();
}

TEST_F(ContextTest, OtherErrorsAreTheDriversOwn) {
    begin("share = \"25%\"");
    driver->context_result = CUDA_ERROR_INVALID_VALUE;
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(GetCapturedStderr(), "");
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

}  // namespace
}  // namespace ration::engine
