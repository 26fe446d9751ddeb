// A sleep during which the program's signal handlers run, and which it may end.
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>

#include "shim/host/open_sleep.h"
#include "tests/unit/cancelled.h"

namespace ration::host {
namespace {

using namespace std::chrono_literals;

volatile sig_atomic_t handled = 0;
volatile sig_atomic_t code = 0;  // si_code that the handler was told
sigjmp_buf outside;

void note(int, siginfo_t* info, void*) {
    handled = handled + 1;
    code = info->si_code;
}

// A handler, and a timer that raises its signal in this process every few milliseconds: so one of
// them comes while the thread sleeps, however slow the machine is.
class Repeated {
  public:
    Repeated(int signal, void (*handler)(int, siginfo_t*, void*)) : signal_(signal) {
        handled = 0;
        struct sigaction action {};
        action.sa_sigaction = handler;
        action.sa_flags = SA_SIGINFO;
        sigaction(signal, &action, &before_);
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = signal;
        EXPECT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer_), 0);
        const timespec often{0, 5000000};
        const itimerspec times{often, often};
        EXPECT_EQ(timer_settime(timer_, 0, &times, nullptr), 0);
    }
    ~Repeated() {
        timer_delete(timer_);
        sigaction(signal_, &before_, nullptr);
    }
    Repeated(const Repeated&) = delete;
    Repeated& operator=(const Repeated&) = delete;

  private:
    const int signal_;
    timer_t timer_{};
    struct sigaction before_ {};
};

std::chrono::nanoseconds slept(std::chrono::nanoseconds duration, bool ended) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(sleep_unless_end_is_asked(duration), ended);
    return std::chrono::steady_clock::now() - begin;
}

TEST(OpenSleep, LastsAsLongAsWasAsked) {
    EXPECT_GE(slept(20ms, false), 20ms);
    EXPECT_LT(slept(0ms, false), 10s);
}

TEST(OpenSleep, HandlersRunAndItGoesOn) {
    const Repeated repeated(SIGUSR1, &note);
    EXPECT_GE(slept(40ms, false), 40ms);
    EXPECT_GE(handled, 1);
}

TEST(OpenSleep, WhoAsksForTheEndEndsItWhenTheHandlerHasRun) {
    for (const int signal : {SIGINT, SIGTERM}) {
        const Repeated repeated(signal, &note);
        EXPECT_LT(slept(1h, true), 1h);
        EXPECT_GE(handled, 1);
        EXPECT_EQ(code, SI_TIMER) << "it is told where the signal came from";
    }
}

TEST(OpenSleep, WhatTheThreadBlocksIsLeftToOthers) {
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    const Repeated repeated(SIGINT, &note);
    pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
    slept(20ms, false);
    EXPECT_EQ(sigtimedwait(&interrupt, nullptr, nullptr), SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
}

// Without the signals that the thread blocked before, which a sigsetjmp(3) would bring back.
TEST(OpenSleep, AHandlerMayLeaveByLongjmp) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer blocks all signals while it runs a handler";
#endif
    const Repeated interrupts(SIGINT, &note);
    {
        const Repeated jumps(SIGUSR1, [](int, siginfo_t*, void*) { siglongjmp(outside, 1); });
        if (sigsetjmp(outside, 0) == 0) {
            while (true) sleep_unless_end_is_asked(1h);
        }
    }
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGUSR1), 1) << "as in any handler";
    EXPECT_EQ(sigismember(&blocked, SIGINT), 0);
    sigemptyset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

TEST(OpenSleep, TheEndMayBeAskedForBefore) {
    for (const int asks : {SIGINT, SIGTERM}) {
        signal(asks, [](int) {});
        const HeldSignals held(HeldSignals::Which::kHandled);
        EXPECT_FALSE(end_was_asked(held));
        raise(asks);
        EXPECT_TRUE(end_was_asked(held));
        const HeldSignals inner(HeldSignals::Which::kAll);
        EXPECT_FALSE(end_was_asked(inner)) << "it was held before";
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    {
        const HeldSignals held(HeldSignals::Which::kAll);
        raise(SIGINT);
        EXPECT_FALSE(end_was_asked(held)) << "nobody handles it";
    }
    signal(SIGINT, SIG_DFL);
}

TEST(OpenSleep, TheThreadMayBeCancelled) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "AddressSanitizer does not notice that the thread leaves the sleep's variables";
#endif
    EXPECT_TRUE(cancelled_in([] { sleep_unless_end_is_asked(1h); }));
}

}  // namespace
}  // namespace ration::host
