#include "shim/host/open_sleep.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ration::host {
namespace {

constexpr std::array<int, 2> kAskForTheEnd = {SIGINT, SIGTERM};

// Those that run a handler in this thread.
sigset_t handled_asks() {
    sigset_t blocked;
    sigset_t asks;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    sigemptyset(&asks);
    for (const int signal : kAskForTheEnd) {
        if (sigismember(&blocked, signal) == 0 && has_handler(signal)) sigaddset(&asks, signal);
    }
    return asks;
}

// Sent to this thread anew, with all that its handler is told of it.
void hand_back(int signal, siginfo_t& info) {
    const long thread = syscall(SYS_gettid);
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal, &info) == 0) return;
    syscall(SYS_tgkill, getpid(), thread, signal);
}

}  // namespace

// sigtimedwait(2) takes the signals that it waits for away, also those that are not blocked (Linux:
// do_sigtimedwait); a handler runs when they are sent again. Blocked they must not be, since they
// would stay so where another signal's handler leaves by longjmp. So one that comes between two
// system calls runs its handler, and the sleep goes on.
bool sleep_unless_end_is_asked(std::chrono::nanoseconds duration) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + duration;
    const sigset_t asks = handled_asks();
    while (true) {
        const auto left = std::chrono::nanoseconds(end - Clock::now()).count();
        if (left <= 0) return false;
        constexpr long kSecond = 1000000000;
        const timespec time{static_cast<time_t>(left / kSecond), static_cast<long>(left % kSecond)};
        siginfo_t info{};
        const int signal = sigtimedwait(&asks, &info, &time);
        if (signal > 0) {
            hand_back(signal, info);
            return true;
        }
        // Where a sandbox does not know it.
        if (errno != EINTR && errno != EAGAIN) nanosleep(&time, nullptr);
    }
}

bool end_was_asked(const HeldSignals& held) {
    sigset_t pending;
    sigpending(&pending);
    for (const int signal : kAskForTheEnd) {
        if (sigismember(&pending, signal) == 1 && !held.blocked_before(signal) &&
            has_handler(signal)) {
            return true;
        }
    }
    return false;
}

}  // namespace ration::host
