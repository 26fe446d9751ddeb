#include "shim/preload/unforked.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "shim/preload/loader_list.h"

namespace ration::front {
namespace {

// How many threads are inside, and above that how many are about to fork.
constexpr uint32_t kInside = 1;
constexpr uint32_t kFork = 1U << 16;
std::atomic<uint32_t> counts{0};

constexpr uint32_t inside(uint32_t seen) { return seen % kFork; }
constexpr uint32_t forks(uint32_t seen) { return seen / kFork; }

// Of this thread: how deep it is inside, and in how many of our fork handlers. Initial-exec: see
// engine.cpp.
__attribute__((tls_model("initial-exec"))) thread_local uint32_t depth = 0;
__attribute__((tls_model("initial-exec"))) thread_local uint32_t forking = 0;

timespec patience_ends() {
    timespec end{};
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += Unforked::kPatience;
    return end;
}

// Waits until `done(counts)`, or until patience is at its end. Returns the counts as seen then.
template <class Done>
uint32_t wait_until(Done done) {
    uint32_t seen = counts;
    if (done(seen)) return seen;
    const timespec end = patience_ends();
    do {
        const long woken = syscall(SYS_futex, &counts, FUTEX_WAIT_BITSET_PRIVATE, seen, &end,
                                   nullptr, FUTEX_BITSET_MATCH_ANY);
        if (woken != 0 && errno == ETIMEDOUT) return seen;
        seen = counts;
    } while (!done(seen));
    return seen;
}

void wake_all() { syscall(SYS_futex, &counts, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0); }

void enter() {
    if (depth++ != 0) return;
    for (;;) {
        uint32_t seen = wait_until([](uint32_t now) { return forks(now) == 0; });
        if (counts.compare_exchange_strong(seen, seen + kInside)) return;
    }
}

void leave() {
    if (--depth != 0) return;
    if (forks(counts -= kInside) != 0) wake_all();
}

void before_fork() {
    ++forking;
    counts += kFork;
    const uint32_t ours = depth != 0 ? 1 : 0;
    wait_until([ours](uint32_t now) { return inside(now) <= ours; });
}

void after_fork() {
    if (forking == 0) return;  // registered in the middle of this fork
    --forking;
    counts -= kFork;
    wake_all();
}

void after_fork_in_child() {
    forking = 0;
    counts = depth != 0 ? kInside : 0;  // no other thread is here
}

// Of threads that come together each may register, which does no harm: forks are counted. libc's
// own function, because a sanitizer's may not be ready. An atfork handler's object is what ends it
// when it is unloaded: any address of ours.
void make_forks_ask() {
    static std::atomic<bool> done{false};
    if (done.load(std::memory_order_acquire)) return;
    using Register = int (*)(void (*before)(), void (*after)(), void (*in_child)(), void* object);
    const auto add = reinterpret_cast<Register>(objects::libc_definition("__register_atfork"));
    if (add != nullptr) add(before_fork, after_fork, after_fork_in_child, &counts);
    done.store(true, std::memory_order_release);
}

}  // namespace

Unforked::Unforked() {
    const int saved_errno = errno;
    make_forks_ask();
    enter();
    errno = saved_errno;
}

Unforked::~Unforked() {
    const int saved_errno = errno;
    leave();
    errno = saved_errno;
}

}  // namespace ration::front
