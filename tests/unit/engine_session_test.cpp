#include <gmock/gmock.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "shim/engine/session.h"
#include "tests/unit/cancelled.h"
#include "tests/unit/engine_fakes.h"

namespace ration::engine {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

constexpr const char* kQuarter =
    "schema = 1\n"
    "[partition.quarter]\nshare = \"25%\"\n"
    "[[rule]]\nuse = \"partition.quarter\"\n";

std::string variable(const char* name) {
    const char* const value = getenv(name);
    return value == nullptr ? "unset" : value;
}

int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

class SessionTest : public testing::Test {
  protected:
    Fakes fakes_;
};

TEST_F(SessionTest, ConfinesAndTakesItsVariablesBack) {
    fakes_.policy(kQuarter);
    setenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "60", 1);
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(fakes_.record().state, state::State::kStarting);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(driver->seen_share, "25");
    EXPECT_EQ(driver->seen_pipe, fakes_.folder().path());
    EXPECT_EQ(variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "60");
    const state::Record record = fakes_.record();
    EXPECT_EQ(record.state, state::State::kGranted);
    EXPECT_EQ(cuda::grant_line(record),
              "asked 25 %, granted 32 of 132 SMs (24.2 %), mps, concurrent: yes");
    EXPECT_EQ(record.partition, "partition.quarter");
    EXPECT_THAT(record.policy, HasSubstr("policy.toml:4"));
    EXPECT_EQ(record.device, kUuid);
    EXPECT_TRUE(is_real(Hook::cuInit)) << "nothing is left to do there";
}

TEST_F(SessionTest, DoesNothingWithoutAPolicyOrForWhomItIgnores) {
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_TRUE(is_real(Hook::cuInit));
    fakes_.policy("schema = 1\n[[rule]]\nuse = \"ignore\"\n");
    ASSERT_EQ(fakes_.attach(), 0);
    for (unsigned hook = 0; hook < kHookCount; ++hook) {
        EXPECT_TRUE(is_real(static_cast<Hook>(hook)));
    }
    EXPECT_THAT(fakes_.records(), IsEmpty());
}

TEST_F(SessionTest, DeniesWithOneLine) {
    fakes_.policy("schema = 1\n[[rule]]\nuse = \"deny\"\n");
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_ERROR_NO_DEVICE);
    EXPECT_EQ(init(), CUDA_ERROR_NO_DEVICE);
    EXPECT_EQ(set_current(), CUDA_ERROR_NO_DEVICE);
    const std::string said = GetCapturedStderr();
    EXPECT_EQ(count(said, "\n"), 1) << said;
    EXPECT_THAT(said, AllOf(HasSubstr("ration: "), HasSubstr("policy.toml:2")));
    EXPECT_EQ(driver->inits, 0);
    EXPECT_EQ(fakes_.record().state, state::State::kDenied);
}

TEST_F(SessionTest, RefusesBeforeTheDriverWithoutADaemon) {
    fakes_.policy(kQuarter);
    fakes_.stop_daemon();
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_ERROR_MPS_CONNECTION_FAILED);
    EXPECT_EQ(init(), CUDA_ERROR_MPS_CONNECTION_FAILED);
    const std::string said = GetCapturedStderr();
    EXPECT_EQ(count(said, "\n"), 1) << said;
    EXPECT_THAT(said, HasSubstr("`ration mps ensure`"));
    EXPECT_EQ(driver->inits, 0);
    EXPECT_EQ(fakes_.record().state, state::State::kRefused);
    EXPECT_THAT(fakes_.record().why, HasSubstr("no MPS daemon answers"));
}

TEST_F(SessionTest, WarnsAndRunsUnsharedWhereThePolicyPrefersThat) {
    fakes_.policy(std::string("defaults.on_error = \"warn\"\n") + kQuarter);
    fakes_.stop_daemon();
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("runs without a share"));
    EXPECT_EQ(driver->seen_share, "unset");
    EXPECT_TRUE(is_real(Hook::cuCtxCreate_v4));
    EXPECT_EQ(fakes_.record().state, state::State::kUnshared);
}

TEST_F(SessionTest, RefusesADriverThatIgnoresTheShare) {
    fakes_.policy(kQuarter);
    driver->ignores_share = true;
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(init(), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(set_current(), CUDA_ERROR_NOT_PERMITTED);
    const std::string said = GetCapturedStderr();
    EXPECT_EQ(count(said, "ignored the share"), 1) << said;
    EXPECT_THAT(driver->calls, IsEmpty());
}

TEST_F(SessionTest, WarnsOfADriverThatIgnoresTheShare) {
    fakes_.policy(std::string("defaults.on_error = \"warn\"\n") + kQuarter);
    driver->ignores_share = true;
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
    EXPECT_EQ(count(GetCapturedStderr(), "ignored the share"), 1);
    EXPECT_EQ(fakes_.record().state, state::State::kUnshared);
}

TEST_F(SessionTest, AFailedInitMayBeTriedAgain) {
    fakes_.policy(kQuarter);
    driver->init_result = CUDA_ERROR_MPS_SERVER_NOT_READY;
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_ERROR_MPS_SERVER_NOT_READY);
    EXPECT_EQ(init(), CUDA_ERROR_MPS_SERVER_NOT_READY);
    EXPECT_EQ(count(GetCapturedStderr(), "starting or recovering"), 1);
    EXPECT_EQ(fakes_.record().state, state::State::kRefused);
    driver->init_result = CUDA_SUCCESS;
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(driver->seen_share, "25");
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

TEST_F(SessionTest, FindsAProgramWhoseInitWentPastUs) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    driver->initialised = true;
    driver->sms = 132;
    driver->served = false;
    CaptureStderr();
    EXPECT_EQ(set_current(), CUDA_ERROR_MPS_CONNECTION_FAILED);
    GetCapturedStderr();
    EXPECT_THAT(driver->calls, IsEmpty());
}

TEST_F(SessionTest, LeavesAnUninitialisedDriverItsOwnError) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(set_current(), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
}

TEST_F(SessionTest, ANestedCallOfTheSameThreadPassesThrough) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    CUresult nested = CUDA_ERROR_UNKNOWN;
    driver->inside_init = [&] {
        driver->inside_init = nullptr;
        EXPECT_EQ(real_depth(), 1);
        nested = init();
    };
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(nested, CUDA_SUCCESS);
    EXPECT_EQ(driver->inits, 2);
    EXPECT_EQ(real_depth(), 0);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

// As CUPTI does: the driver's cuInit starts a thread, which calls cuInit, and waits for it.
TEST_F(SessionTest, AThreadThatTheDriverWaitsForMayInitialise) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    CUresult nested = CUDA_ERROR_UNKNOWN;
    driver->inside_init = [&] {
        driver->inside_init = nullptr;
        std::thread([&] {
            nested = init();
            EXPECT_EQ(set_current(), CUDA_SUCCESS);
        }).join();
    };
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(nested, CUDA_SUCCESS);
    EXPECT_EQ(driver->seen_share, "25");
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
    EXPECT_EQ(variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "unset");
}

TEST_F(SessionTest, AThreadThatIsTooEarlyLeavesTheReadingToTheNext) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    driver->inside_init = [&] {
        driver->inside_init = nullptr;
        driver->answers = false;
        std::thread([&] { EXPECT_EQ(init(), CUDA_SUCCESS); }).join();
        EXPECT_EQ(fakes_.record().state, state::State::kStarting);
        driver->answers = true;
    };
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

TEST_F(SessionTest, ThreadsMayRaceIntoTheFirstCalls) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
        threads.emplace_back([&] {
            const char* const share = getenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE");
            good += share == nullptr || std::string(share) == "25";
            good += init() == CUDA_SUCCESS;
            good += driver->sms == 32;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(good, 48);
    EXPECT_EQ(variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "unset");
    EXPECT_EQ(fakes_.records().size(), 1U);
}

TEST_F(SessionTest, RacingThreadsAreRefusedTogether) {
    fakes_.policy(kQuarter);
    driver->ignores_share = true;
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
        threads.emplace_back([&] { refused += init() == CUDA_ERROR_NOT_PERMITTED; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(count(GetCapturedStderr(), "ignored the share"), 1);
    EXPECT_EQ(refused, 16);
}

// Reading the grant back and publishing it are full of cancellation points.
TEST_F(SessionTest, IsNotCancelledInTheMiddleOfItsOwnWork) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    std::atomic<CUresult> result{CUDA_ERROR_UNKNOWN};
    EXPECT_TRUE(cancelled_in([&] {
        result = init();
        pthread_testcancel();
    }));
    EXPECT_EQ(result, CUDA_SUCCESS);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
    EXPECT_EQ(set_current(), CUDA_SUCCESS);
}

TEST_F(SessionTest, AThreadCancelledInTheDriverTakesTheEnvironmentBack) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    driver->inside_init = [] { pthread_testcancel(); };
    EXPECT_TRUE(cancelled_in([] { init(); }));
    driver->inside_init = nullptr;
    EXPECT_EQ(variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "unset");
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(driver->seen_share, "25");
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

volatile sig_atomic_t jumped = 0;

// The reading of the grant is no place to jump out of: another thread would wait for the lock.
TEST_F(SessionTest, AHandlerWaitsWhileTheGrantIsReadBack) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    jumped = 0;
    signal(SIGUSR1, [](int) { jumped = 1; });
    bool early = false;
    driver->inside_query = [&] {
        raise(SIGUSR1);
        early = jumped != 0;
    };
    EXPECT_EQ(init(), CUDA_SUCCESS);
    poll(nullptr, 0, 0);  // ThreadSanitizer runs handlers at the next call that it knows
    EXPECT_FALSE(early);
    EXPECT_EQ(jumped, 1);
    signal(SIGUSR1, SIG_DFL);
}

// Returns what `body` returns in a forked child.
template <class Body>
int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(SessionTest, AChildDecidesForItself) {
    fakes_.policy(
        "schema = 1\n[pool.p]\nassign = \"rank\"\nshare = [\"25%\", \"50%\"]\n"
        "[[rule]]\nuse = \"pool.p\"\n");
    setenv("RATION_RANK", "0", 1);
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(in_child([] {
                  setenv("RATION_RANK", "1", 1);
                  return init() == CUDA_SUCCESS && driver->seen_share == "50" ? 0 : 1;
              }),
              0);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(driver->seen_share, "25");
    EXPECT_EQ(fakes_.records().size(), 2U);
    unsetenv("RATION_RANK");
}

TEST_F(SessionTest, AChildOfARefusedParentMayRun) {
    fakes_.policy("schema = 1\n[[rule]]\nuse = \"deny\"\n");
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_ERROR_NO_DEVICE);
    fakes_.policy("schema = 1\n[[rule]]\nuse = \"ignore\"\n");
    EXPECT_EQ(in_child([] { return init() == CUDA_SUCCESS ? 0 : 1; }), 0);
    GetCapturedStderr();
}

// Another thread of the parent is inside cuInit and never gets out in the child.
TEST_F(SessionTest, AChildIsFreeOfItsParentsThreads) {
    fakes_.policy(kQuarter);
    ASSERT_EQ(fakes_.attach(), 0);
    driver->inside_init = [&] {
        driver->inside_init = nullptr;
        std::thread([&] {
            EXPECT_EQ(in_child([] {
                          alarm(20);
                          const bool fine =
                              init() == CUDA_SUCCESS && driver->seen_share == "25" &&
                              variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE") == "unset";
                          return fine ? 0 : 1;
                      }),
                      0);
        }).join();
    };
    EXPECT_EQ(init(), CUDA_SUCCESS);
}

// The threads of a child meet in the first hooked call.
int first_calls_of_a_child() {
    constexpr int kThreads = 8;
    alarm(60);
    driver->init_result = CUDA_SUCCESS;
    driver->slow_to_begin = true;
    std::barrier together(kThreads);
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            together.arrive_and_wait();
            good += init() == CUDA_SUCCESS;
        });
    }
    for (std::thread& thread : threads) thread.join();
    if (variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE") != "unset") return 1;
    return good == kThreads && driver->seen_share == "25" ? 0 : 2;
}

TEST_F(SessionTest, TheThreadsOfAChildBeginOneSession) {
    fakes_.policy(kQuarter);
    driver->init_result = CUDA_ERROR_MPS_SERVER_NOT_READY;
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_ERROR_MPS_SERVER_NOT_READY);
    EXPECT_EQ(in_child(&first_calls_of_a_child), 0);
    EXPECT_EQ(in_child([] { return in_child(&first_calls_of_a_child); }), 0) << "of its child";
    GetCapturedStderr();
    EXPECT_EQ(fakes_.records().size(), 3U);
}

TEST_F(SessionTest, WarnsOnceThatAShareIsUnrecorded) {
    setenv("RATION_RUNTIME_DIR", "/proc/nowhere", 1);
    fakes_.policy(kQuarter);
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    const std::string said = GetCapturedStderr();
    EXPECT_EQ(count(said, "runs unrecorded"), 1) << said;
    fakes_.policy("schema = 1\n[[rule]]\nuse = \"deny\"\n");
    CaptureStderr();
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(count(GetCapturedStderr(), "runs unrecorded"), 0) << "nothing is held";
}

TEST_F(SessionTest, KeepsErrno) {
    fakes_.policy(kQuarter);
    errno = EXDEV;
    ASSERT_EQ(fakes_.attach(), 0);
    EXPECT_EQ(errno, EXDEV);
    EXPECT_EQ(init(), CUDA_SUCCESS);
    EXPECT_EQ(errno, EXDEV);
}

TEST(Attach, RefusesAnotherVersionPolitely) {
    ration_front other{};
    other.abi = RATION_ENGINE_ABI + 1;
    other.hook_count = kHookCount;
    const std::string hooks = std::to_string(kHookCount);
    char reason[256] = "";
    EXPECT_EQ(ration_engine_attach(&other, reason, sizeof reason), CUDA_ERROR_NOT_PERMITTED);
    const auto interface = [](unsigned abi) { return "(interface " + std::to_string(abi) + ", "; };
    EXPECT_EQ(reason, "libration.so " + interface(RATION_ENGINE_ABI + 1) + hooks +
                          " hooks) and libration-engine.so " + interface(RATION_ENGINE_ABI) +
                          hooks +
                          " hooks) are of different versions: restart the job or reinstall ration");
    other.abi = RATION_ENGINE_ABI;
    other.hook_count = kHookCount - 1;
    EXPECT_EQ(ration_engine_attach(&other, reason, sizeof reason), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_THAT(reason, HasSubstr(interface(RATION_ENGINE_ABI) + std::to_string(kHookCount - 1) +
                                  " hooks"));
    char small[10] = "";
    EXPECT_EQ(ration_engine_attach(&other, small, sizeof small), CUDA_ERROR_NOT_PERMITTED);
    EXPECT_STREQ(small, "libration");
}

}  // namespace
}  // namespace ration::engine
