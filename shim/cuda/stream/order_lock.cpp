#include "shim/cuda/stream/order_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace ration::cuda::stream {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kTries = 200;

std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
}

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

void OrderLock::wake_all(Word& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

// `tell`: who makes it 0 wakes others only if the word says that somebody sleeps.
bool OrderLock::wait_for_zero(Word& word, bool tell) {
    for (int i = 0; i < kTries; ++i) {
        if (word.load() == 0) return true;
        relax();
    }
    const std::int64_t end = now_ns() + kSecond;
    for (std::uint32_t seen = word.load(); seen != 0; seen = word.load()) {
        const std::int64_t left = end - now_ns();
        if (left <= 0) return false;
        if (tell && seen == 1 && !word.compare_exchange_strong(seen, 2)) continue;
        const timespec time{left / kSecond, left % kSecond};
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, tell ? 2 : seen, &time, nullptr, 0);
    }
    return true;
}

// It is there, and somebody has taken it or is about to.
bool OrderLock::share_when_free() {
    queued_.fetch_add(1);
    bool shared = false;
    bool patient = true;
    while (!shared && patient) {
        unshare();
        patient = wait_for_zero(taken_, true);
        sharers_.fetch_add(1);
        shared = taken_.load() == 0;
    }
    if (!shared) unshare();
    if (queued_.fetch_sub(1) == 1) wake_all(queued_);
    return shared;
}

bool OrderLock::take() {
    for (std::uint32_t free = 0;; free = 0) {
        if (queued_.load() != 0) wait_for_zero(queued_, false);
        if (taken_.compare_exchange_strong(free, 1)) break;
        if (!wait_for_zero(taken_, true)) return false;
    }
    if (sharers_.load() != 0) wait_for_zero(sharers_, false);
    return true;
}

void OrderLock::release() {
    if (taken_.exchange(0) == 2) wake_all(taken_);
}

}  // namespace ration::cuda::stream
