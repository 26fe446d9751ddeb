#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <future>

#include "shim/host/undisturbed_lock.h"

namespace ration::host {
namespace {

volatile sig_atomic_t handled = 0;

bool is_blocked(int signal) {
    sigset_t blocked;
    sigemptyset(&blocked);
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    return sigismember(&blocked, signal) == 1;
}

int cancel_state() {
    int state = -1;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_setcancelstate(state, nullptr);
    return state;
}

TEST(HeldSignals, AHandlerWaitsUntilTheEnd) {
    handled = 0;
    signal(SIGUSR1, [](int) { handled = 1; });
    for (const auto which : {HeldSignals::Which::kHandled, HeldSignals::Which::kAll}) {
        handled = 0;
        {
            const HeldSignals held(which);
            raise(SIGUSR1);
            EXPECT_EQ(handled, 0);
        }
        poll(nullptr, 0, 0);  // ThreadSanitizer runs handlers at the next call that it knows
        EXPECT_EQ(handled, 1);
    }
    signal(SIGUSR1, SIG_DFL);
}

TEST(HeldSignals, WhatEndsTheProgramStillDoesWhereWorkMayTakeLong) {
    signal(SIGTERM, SIG_DFL);
    const HeldSignals held(HeldSignals::Which::kHandled);
    EXPECT_FALSE(is_blocked(SIGTERM));
}

TEST(HeldSignals, FaultsAndWhatWasBlockedBeforeStayAsTheyAre) {
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &own, nullptr);
    {
        const HeldSignals held(HeldSignals::Which::kAll);
        EXPECT_TRUE(is_blocked(SIGUSR1));
        EXPECT_FALSE(is_blocked(SIGSEGV));
        EXPECT_FALSE(is_blocked(SIGBUS));
    }
    EXPECT_FALSE(is_blocked(SIGUSR1));
    EXPECT_TRUE(is_blocked(SIGUSR2));
    pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
}

TEST(Uncancelled, GivesTheProgramsSettingBack) {
    {
        const Uncancelled uncancelled;
        EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_DISABLE);
        {
            const Uncancelled::Pause pause(uncancelled);
            EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_ENABLE);
        }
        EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_DISABLE);
    }
    EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_ENABLE);
}

TEST(UndisturbedLock, HoldsAllThree) {
    std::mutex mutex;
    {
        const UndisturbedLock lock(mutex);
        EXPECT_TRUE(is_blocked(SIGTERM));
        EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_DISABLE);
        EXPECT_FALSE(std::async(std::launch::async, [&] { return mutex.try_lock(); }).get());
    }
    EXPECT_FALSE(is_blocked(SIGTERM));
    EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_ENABLE);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
}

}  // namespace
}  // namespace ration::host
