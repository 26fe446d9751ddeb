#include "shim/cuda/stream/order_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim/cuda/stream/patience.h"

namespace ration::cuda::stream {
namespace {

constexpr int kLooks = 200;

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

template <class Condition>
bool comes_soon(const Condition& condition) {
    for (int i = 0; i < kLooks; ++i) {
        if (condition()) return true;
        relax();
    }
    return false;
}

void wake_all_at(std::atomic<std::uint32_t>& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

// For a round at most, while the word is `seen`.
void sleep(std::atomic<std::uint32_t>& word, std::uint32_t seen, Patience& patience) {
    const timespec round{0, Patience::kRoundNs};
    const std::int64_t start = now_ns();
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, &round, nullptr, 0);
    patience.spend(now_ns() - start);
}

}  // namespace

OrderLock::Held OrderLock::Crowd::stay(Held held) {
    if (has(held)) return held;
    leave(held);
    return enter();
}

void OrderLock::Crowd::wake_all() { wake_all_at(counts_[now_.load()]); }

bool OrderLock::Crowd::wait(Patience& patience) {
    const bool emptied = comes_soon([this] { return empty(); });
    const std::uint32_t now = now_.load();
    const std::uint32_t seen = counts_[now].load();
    if (emptied || seen == 0) {
        patience = Patience();
        return true;
    }
    if (patience.lasts_for(seen)) {
        sleep(counts_[now], seen, patience);
        return true;
    }
    forget(now);
    return false;
}

void OrderLock::Crowd::forget(std::uint32_t now) {
    for (std::uint32_t next = (now + 1) % kCounts; next != now; next = (next + 1) % kCounts) {
        if (counts_[next].load() != 0) continue;
        now_.compare_exchange_strong(now, next);
        return;
    }
}

// Who frees it wakes others only if the word says that somebody sleeps.
void OrderLock::outwait_turn() {
    if (comes_soon([this] { return !is_taken(taken_.load()); })) return;
    Patience patience;
    std::uint32_t seen = taken_.load();
    const std::uint32_t turn = seen & ~kSleeping;
    for (; is_taken(seen) && (seen & ~kSleeping) == turn; seen = taken_.load()) {
        if (seen == turn && !taken_.compare_exchange_strong(seen, turn | kSleeping)) continue;
        if (patience.lasts())
            sleep(taken_, turn | kSleeping, patience);
        else
            release(turn);
    }
}

// It is there, and somebody has taken it or is about to.
OrderLock::Held OrderLock::share_when_free(Held held) {
    Held queued = queued_.enter();
    while (!is_shared(held)) {
        unshare(held);
        while (is_taken(taken_.load())) outwait_turn();
        queued = queued_.stay(queued);
        held = sharers_.enter();
    }
    if (queued_.leave(queued)) queued_.wake_all();
    return held;
}

OrderLock::Held OrderLock::take() {
    Held held = try_turn({});
    if (held == 0) held = turn();
    while (!sharers_.empty()) {
        held = outwait_sharers(held);
        if (held != 0) break;
        held = turn();
    }
    return held;
}

// Whoever frees it and wants it again has it before any sleeper wakes, as long as nobody is late:
// to hand it over each time would make two threads wait for the scheduler at every call.
OrderLock::Held OrderLock::turn() {
    constexpr unsigned kTries = 16;  // more than it takes to forget who is in a crowd
    Held late = 0;
    Held held = 0;
    Heeds heeds;
    Patience with_queued;
    Patience with_late;
    for (unsigned tries = 0; (held = try_turn(heeds)) == 0; ++tries) {
        if (tries >= kTries) {
            late = late_.stay(late);
            heeds.late = false;
        }
        if (is_taken(taken_.load())) {
            outwait_turn();
        } else if (!queued_.empty()) {
            heeds.queued = queued_.wait(with_queued);
        } else if (heeds.late) {
            heeds.late = late_.wait(with_late);
        }
    }
    if (late_.leave(late)) late_.wake_all();
    return held;
}

// A free word has the turn alone.
OrderLock::Held OrderLock::try_turn(Heeds heeds) {
    if ((heeds.queued && !queued_.empty()) || (heeds.late && !late_.empty())) return 0;
    std::uint32_t now = taken_.load();
    if (is_taken(now)) return 0;
    const Held next = (now + kTurn) | kTaken;
    return taken_.compare_exchange_strong(now, next) ? next : 0;
}

// Who waits here gets on, if only by waiting: each time is another turn for those who wait for it.
// 0 if they have given up on it all the same.
OrderLock::Held OrderLock::outwait_sharers(Held held) {
    Patience patience;
    for (bool waits = true; waits && !sharers_.empty();) {
        waits = sharers_.wait(patience);
        const Held next = held + kTurn;
        if (!change(held, next)) return 0;
        held = next;
    }
    return held;
}

// Not if it is another's by now. Who sleeps goes on sleeping if it stays taken.
bool OrderLock::change(Held held, std::uint32_t next) {
    std::uint32_t now = held;
    while ((now & ~kSleeping) == held) {
        const bool wakes = (now & kSleeping) != 0 && !is_taken(next);
        const std::uint32_t kept = is_taken(next) ? now & kSleeping : 0;
        if (!taken_.compare_exchange_weak(now, next | kept)) continue;
        if (wakes) wake_all_at(taken_);
        return true;
    }
    return false;
}

void OrderLock::release(Held held) {
    Held now = held;
    const Held free = held & ~kTaken;
    if (!taken_.compare_exchange_strong(now, free)) change(held, free);
}

}  // namespace ration::cuda::stream
