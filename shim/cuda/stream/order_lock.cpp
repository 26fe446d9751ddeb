#include "shim/cuda/stream/order_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim/cuda/stream/thread.h"

namespace ration::cuda::stream {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kTries = 200;
constexpr std::uint32_t kSleeping = 1;

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

void wake_all_at(std::atomic<std::uint32_t>& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

// How long a word has been waited for.
class Patience {
  public:
    // Sleeps while the word is `seen`. False when patience is at its end.
    bool sleep(std::atomic<std::uint32_t>& word, std::uint32_t seen) const {
        const std::int64_t left = end_ - now_ns();
        if (left <= 0) return false;
        const timespec time{left / kSecond, left % kSecond};
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, &time, nullptr, 0);
        return true;
    }

  private:
    const std::int64_t end_ = now_ns() + kSecond;
};

// A number that no other thread has now; even, and not 0.
std::uint32_t this_holder() {
    constexpr unsigned kAlike = 2;  // lowest bits that are 0 in every thread pointer
    constexpr std::uint32_t kSome = 2;
    const auto pointer = reinterpret_cast<std::uintptr_t>(thread_pointer());
    return (static_cast<std::uint32_t>(pointer >> kAlike) & ~kSleeping) | kSome;
}

}  // namespace

void OrderLock::Crowd::wake_all() { wake_all_at(counts_[now_.load()]); }

void OrderLock::Crowd::wait() {
    for (int i = 0; i < kTries; ++i) {
        if (empty()) return;
        relax();
    }
    const std::uint32_t now = now_.load();
    const Patience patience;
    for (std::uint32_t seen = counts_[now].load(); seen != 0; seen = counts_[now].load()) {
        if (!patience.sleep(counts_[now], seen)) return forget(now);
    }
}

void OrderLock::Crowd::forget(std::uint32_t now) {
    for (std::uint32_t next = (now + 1) % kCounts; next != now; next = (next + 1) % kCounts) {
        if (counts_[next].load() != 0) continue;
        now_.compare_exchange_strong(now, next);
        return;
    }
}

// Who frees it wakes others only if the word says that somebody sleeps. False when patience was at
// its end: then it is free unless another has it by now.
bool OrderLock::free_in_time() {
    for (int i = 0; i < kTries; ++i) {
        if (taken_.load() == 0) return true;
        relax();
    }
    const Patience patience;
    for (std::uint32_t seen = taken_.load(); seen != 0; seen = taken_.load()) {
        if ((seen & kSleeping) == 0) {
            if (!taken_.compare_exchange_strong(seen, seen | kSleeping)) continue;
            seen |= kSleeping;
        }
        if (patience.sleep(taken_, seen)) continue;
        if (taken_.compare_exchange_strong(seen, 0)) wake_all_at(taken_);
        return false;
    }
    return true;
}

// It is there, and somebody has taken it or is about to.
OrderLock::Held OrderLock::share_when_free(Held held) {
    const Held queued = queued_.enter();
    bool patient = true;
    while (!is_shared(held)) {
        unshare(held);
        held = 0;
        if (!patient) break;
        patient = free_in_time();
        held = sharers_.enter();
    }
    if (queued_.leave(queued)) queued_.wake_all();
    return held;
}

OrderLock::Held OrderLock::take() {
    const Held holder = this_holder();
    bool patient = true;
    for (std::uint32_t free = 0;; free = 0) {
        if (!queued_.empty()) queued_.wait();
        if (taken_.compare_exchange_strong(free, holder)) break;
        if (!patient) return 0;
        patient = free_in_time();
    }
    if (!sharers_.empty()) sharers_.wait();
    return holder;
}

void OrderLock::release(Held held) {
    std::uint32_t now = held;
    while ((now & ~kSleeping) == held) {
        if (!taken_.compare_exchange_weak(now, 0)) continue;
        if ((now & kSleeping) != 0) wake_all_at(taken_);
        return;
    }
}

}  // namespace ration::cuda::stream
