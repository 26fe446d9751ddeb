#include "shim/preload/unforked.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "shim/host/generation.h"
#include "shim/preload/loader_list.h"

namespace ration::front {
namespace {

// How many threads are inside, and above that how many are about to fork.
constexpr uint32_t kInside = 1;
constexpr uint32_t kFork = 1U << 16;
constexpr uint32_t inside(uint32_t counts) { return counts % kFork; }
constexpr uint32_t forks(uint32_t counts) { return counts / kFork; }

// The counts, and above them the generation of the process that they are of: a child of clone(2)
// itself has its parent's word, and none of its threads.
std::atomic<uint64_t> word{0};

// Of this thread: how deep it is inside, and in how many forks. Initial-exec: see engine.cpp.
__attribute__((tls_model("initial-exec"))) thread_local uint32_t depth = 0;
__attribute__((tls_model("initial-exec"))) thread_local uint32_t forking = 0;

uint32_t counts_in(uint64_t seen) {
    return seen >> 32 == host::generation() ? static_cast<uint32_t>(seen) : 0;
}

bool replace(uint64_t& seen, uint32_t counts) {
    return word.compare_exchange_weak(seen, uint64_t{host::generation()} << 32 | counts);
}

template <class Change>
uint32_t update(Change change) {
    uint64_t seen = word;
    for (;;) {
        const uint32_t counts = change(counts_in(seen));
        if (replace(seen, counts)) return counts;
    }
}

// The lower half of the word, which is the first on both processors.
long futex(int operation, uint32_t value, const timespec* end) {
    return syscall(SYS_futex, &word, operation, value, end, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void wake_all() { futex(FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr); }

// How long one caller waits in all.
class Patience {
  public:
    // Sleeps until the word changes. False where it is over, or the kernel does not let us sleep.
    bool wait(uint64_t seen) {
        if (end_.tv_sec == 0) {
            clock_gettime(CLOCK_MONOTONIC, &end_);
            end_.tv_sec += Unforked::kPatience;
        }
        const auto value = static_cast<uint32_t>(seen);
        return futex(FUTEX_WAIT_BITSET_PRIVATE, value, &end_) == 0 || errno == EAGAIN ||
               errno == EINTR;
    }

  private:
    timespec end_{};
};

// In a fork handler of the program's it is this very thread that forks.
void enter() {
    if (depth++ != 0) return;
    Patience patience;
    bool waits = forking == 0;
    uint64_t seen = word;
    for (;;) {
        const uint32_t counts = counts_in(seen);
        if (waits && forks(counts) != 0) {
            waits = patience.wait(seen);
            seen = word;
        } else if (replace(seen, counts + kInside)) {
            return;
        }
    }
}

void leave() {
    if (--depth != 0) return;
    const auto less = [](uint32_t counts) { return inside(counts) != 0 ? counts - kInside : 0; };
    if (forks(update(less)) != 0) wake_all();
}

void before_fork() {
    ++forking;
    update([](uint32_t counts) { return counts + kFork; });
    const uint32_t ours = depth != 0 ? 1 : 0;
    Patience patience;
    uint64_t seen = word;
    while (inside(counts_in(seen)) > ours && patience.wait(seen)) seen = word;
}

void after_fork() {
    if (forking == 0) return;  // registered in the middle of this fork
    --forking;
    update([](uint32_t counts) { return forks(counts) != 0 ? counts - kFork : counts; });
    wake_all();
}

void after_fork_in_child() {
    forking = 0;
    update([](uint32_t) { return depth != 0 ? kInside : 0; });  // no other thread is here
}

// Of threads that come together each may register, which does no harm: forks are counted. libc's
// own function, because a sanitizer's may not be ready. An atfork handler's object is what ends it
// when it is unloaded: any address of ours.
void make_forks_ask() {
    static std::atomic<bool> done{false};
    if (done.load(std::memory_order_acquire)) return;
    using Register = int (*)(void (*before)(), void (*after)(), void (*in_child)(), void* object);
    const auto add = reinterpret_cast<Register>(objects::libc_definition("__register_atfork"));
    if (add != nullptr) add(before_fork, after_fork, after_fork_in_child, &word);
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
