// The life of a primary context and of its home.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "shim/cuda/green/residence.h"
#include "tests/unit/green_driver.h"

namespace ration::cuda::green {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CUresult real_reset(CUdevice) {
    fake_green().calls.emplace_back("reset");
    return fake_green().greens != 0 ? CUDA_ERROR_NOT_PERMITTED : CUDA_SUCCESS;
}

class GreenResidence : public testing::Test {
  protected:
    GreenResidence() {
        auto layout = read_layout(calls_, 0, "GPU-1", policy::SmGranularity::kGroup);
        residence_.confine(std::get<Layout>(layout), 32);
    }

    // As the program's own, through the hook.
    void retain(bool nested = false) {
        CUcontext primary = nullptr;
        residence_.retain(calls_.cuDevicePrimaryCtxRetain, &primary, nested);
    }
    CUresult release() { return residence_.release(calls_.cuDevicePrimaryCtxRelease_v2, false); }
    CUresult reset() { return residence_.reset(&real_reset, false); }
    void need_home() {
        const auto refusal = residence_.need_home();
        EXPECT_FALSE(refusal.has_value()) << refusal->line;
    }
    bool has_home() const { return residence_.home() != nullptr; }

    Calls calls_ = fake_green_calls();
    Homes homes_;
    std::vector<std::string> opened_;
    bool can_open_ = true;
    std::optional<Refusal> no_place_;
    int placed_ = 0;
    const Opening opening_{
        [this](CUdevice) -> Or<std::vector<unsigned>> {
            ++placed_;
            if (no_place_) return *no_place_;
            return std::vector<unsigned>{2, 3, 4, 5};
        },
        [this](CUdevice, CUcontext home, CUcontext primary) {
            opened_.emplace_back(primary == fake_primary(0) && home != primary ? "open" : "open?");
            return can_open_;
        },
        [this](CUdevice) { opened_.emplace_back("close"); }};
    Residence residence_{calls_, homes_, opening_, 0};
};

TEST_F(GreenResidence, IsGivenUpOnceAndHasNoHomeThen) {
    EXPECT_TRUE(residence_.give_up());
    EXPECT_FALSE(residence_.give_up());
    need_home();
    EXPECT_FALSE(has_home());
    EXPECT_EQ(placed_, 0);
}

TEST_F(GreenResidence, IsNotGivenUpWhileItHasAHome) {
    need_home();
    EXPECT_FALSE(residence_.give_up());
    EXPECT_FALSE(residence_.given_up());
}

TEST_F(GreenResidence, TellsItsSms) {
    EXPECT_TRUE(residence_.confined());
    EXPECT_EQ(residence_.sms(), 32U);
    const Residence free{calls_, homes_, opening_, 1};
    EXPECT_FALSE(free.confined());
    EXPECT_EQ(free.sms(), 0U);
}

TEST_F(GreenResidence, AHomeIsMadeOnceAndHoldsThePrimary) {
    need_home();
    need_home();
    EXPECT_EQ(fake_green().greens, 1U);
    EXPECT_EQ(fake_green().uses, 0U) << "its own use of the primary was given back";
    EXPECT_EQ(homes_.real(fake_primary(0)), residence_.home());
    EXPECT_THAT(opened_, ElementsAre("open"));
    EXPECT_FALSE(residence_.active()) << "the program has not retained it";
}

TEST_F(GreenResidence, TheLastReleaseEndsTheHomeBeforeThePrimary) {
    retain();
    retain();
    need_home();
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_TRUE(has_home());
    EXPECT_TRUE(residence_.active());
    fake_green().calls.clear();
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_FALSE(has_home());
    EXPECT_THAT(fake_green().calls, ElementsAre("destroy", "release"));
    EXPECT_THAT(opened_, ElementsAre("open", "close"));
    EXPECT_FALSE(fake_green().active());
}

TEST_F(GreenResidence, OneReleaseTooManyNeverReachesTheDriverBesideAHome) {
    need_home();
    EXPECT_EQ(release(), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_FALSE(fake_green().spoilt);
    retain();
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_EQ(release(), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_FALSE(fake_green().spoilt);
}

TEST_F(GreenResidence, AResetEndsTheHomeAndKeepsTheCount) {
    retain();
    need_home();
    EXPECT_EQ(reset(), CUDA_SUCCESS);
    EXPECT_FALSE(has_home());
    EXPECT_EQ(fake_green().greens, 0U);
    retain();
    need_home();
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_TRUE(has_home()) << "retained twice";
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_FALSE(has_home());
}

TEST_F(GreenResidence, AFreshStartMakesANewHome) {
    retain();
    need_home();
    CUcontext const former = residence_.home();
    release();
    retain();
    need_home();
    EXPECT_NE(residence_.home(), former);
    EXPECT_EQ(homes_.told(former), fake_primary(0));
}

TEST_F(GreenResidence, TheProgramsOwnGreenContextsKeepThePrimaryAndItsHome) {
    retain();
    need_home();
    residence_.green_made();
    ++fake_green().greens;
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_TRUE(has_home()) << "what is current stays usable, as it does without ration";
    EXPECT_TRUE(residence_.active());
    EXPECT_EQ(reset(), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_TRUE(has_home());
    --fake_green().greens;
    residence_.green_ended(false);
    EXPECT_FALSE(has_home());
    EXPECT_FALSE(fake_green().active());
}

TEST_F(GreenResidence, NestedCallsTakeNoLockAndAreCounted) {
    need_home();
    EXPECT_EQ(residence_.release(calls_.cuDevicePrimaryCtxRelease_v2, true),
              CUDA_ERROR_INVALID_CONTEXT);
    retain();
    EXPECT_EQ(residence_.release(calls_.cuDevicePrimaryCtxRelease_v2, true), CUDA_SUCCESS);
    EXPECT_FALSE(residence_.active());
    EXPECT_EQ(residence_.reset(&real_reset, true), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_TRUE(has_home());
}

TEST_F(GreenResidence, AUseThatIsAboutToComeKeepsTheHomeFromTheLastRelease) {
    retain();
    need_home();
    std::promise<void> asked;
    std::promise<void> gate;
    fake_green().at_retain = [&] {
        asked.set_value();
        gate.get_future().wait();
    };
    auto other = std::async(std::launch::async, [this] { retain(); });
    asked.get_future().wait();
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_TRUE(has_home()) << "the other thread may have made it current";
    EXPECT_TRUE(residence_.alive());
    gate.set_value();
    other.wait();
    fake_green().at_retain = nullptr;
    EXPECT_TRUE(has_home());
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_FALSE(has_home());
    EXPECT_FALSE(fake_green().active());
    EXPECT_FALSE(fake_green().spoilt);
}

// What would come in between does so while the end waits for it, though not for long.
TEST_F(GreenResidence, AUseThatComesWhileTheHomeEndsIsOfTheNextOne) {
    retain();
    need_home();
    std::future<void> other;
    std::future_status came{};
    fake_green().at_destroy = [&] {
        other = std::async(std::launch::async, [this] { retain(); });
        came = other.wait_for(std::chrono::milliseconds(50));
    };
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_EQ(came, std::future_status::timeout);
    other.wait();
    fake_green().at_destroy = nullptr;
    EXPECT_THAT(fake_green().calls,
                ElementsAre("retain", "create", "destroy", "release", "retain"));
    need_home();
    EXPECT_TRUE(has_home());
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_FALSE(fake_green().active());
}

TEST_F(GreenResidence, AUseThatTheDriverRefusesDoesNotCount) {
    retain();
    need_home();
    fake_green().retain = CUDA_ERROR_OUT_OF_MEMORY;
    retain();
    fake_green().retain = CUDA_SUCCESS;
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_FALSE(has_home());
}

TEST_F(GreenResidence, APrimaryLivesFromItsRetainToItsResetOrItsLastRelease) {
    EXPECT_FALSE(residence_.alive());
    need_home();
    EXPECT_FALSE(residence_.alive()) << "of its home alone";
    retain();
    EXPECT_TRUE(residence_.alive());
    EXPECT_EQ(reset(), CUDA_SUCCESS);
    EXPECT_FALSE(residence_.alive()) << "it is retained still, but was ended";
    need_home();
    EXPECT_FALSE(residence_.active());
    retain();
    EXPECT_TRUE(residence_.alive());
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_TRUE(residence_.alive());
    EXPECT_EQ(release(), CUDA_SUCCESS);
    EXPECT_FALSE(residence_.alive());
    residence_.green_made();
    EXPECT_TRUE(residence_.alive());
    residence_.green_ended(false);
    EXPECT_FALSE(residence_.alive());
}

TEST_F(GreenResidence, GroupsAreChosenOnceAndBeforeTheFirstHome) {
    no_place_ = Refusal{CUDA_ERROR_NOT_PERMITTED, "nothing is left"};
    EXPECT_EQ(residence_.need_home()->line, "nothing is left");
    EXPECT_EQ(fake_green().greens, 0U);
    no_place_.reset();
    retain();
    need_home();
    release();
    need_home();
    EXPECT_EQ(placed_, 2) << "the refused time, and once";
}

TEST_F(GreenResidence, TheDriversErrorIsTheRefusalsAndMayPass) {
    fake_green().create = CUDA_ERROR_OUT_OF_MEMORY;
    const auto refusal = residence_.need_home();
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->code, CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_THAT(refusal->line, HasSubstr("GPU-1"));
    fake_green().create = CUDA_SUCCESS;
    need_home();
    EXPECT_TRUE(has_home());
}

TEST_F(GreenResidence, OtherSmsThanAskedAreNoHome) {
    fake_green().granted = 132;
    const auto refusal = residence_.need_home();
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->code, CUDA_ERROR_NOT_PERMITTED);
    EXPECT_THAT(refusal->line, HasSubstr("132 SMs of GPU-1, but 32 were asked"));
    EXPECT_EQ(fake_green().greens, 0U);
    EXPECT_FALSE(has_home());
}

TEST_F(GreenResidence, AHomeThatCannotBeOpenedIsTakenBack) {
    can_open_ = false;
    const auto refusal = residence_.need_home();
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->code, CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_EQ(fake_green().greens, 0U);
    EXPECT_FALSE(has_home());
}

}  // namespace
}  // namespace ration::cuda::green
