#include "shim/preload/decision.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ration::front {
namespace {

constexpr unsigned kPhaseBits = 2;  // Linux's process ids have at most 22 bits (PID_MAX_LIMIT)

int thread_id() { return static_cast<int>(syscall(SYS_gettid)); }

}  // namespace

uint32_t Decision::word(Phase phase) {
    return static_cast<uint32_t>(getpid()) << kPhaseBits | phase;
}

bool Decision::made() const { return progress_.load(std::memory_order_acquire) == word(kDecided); }

bool Decision::begin() {
    for (;;) {
        uint32_t seen = progress_.load(std::memory_order_acquire);
        if (seen == word(kDecided)) return false;
        if (seen == word(kDeciding)) {
            if (decider_ == thread_id()) return false;
            syscall(SYS_futex, &progress_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
        } else if (progress_.compare_exchange_strong(seen, word(kDeciding))) {
            decider_ = thread_id();
            return true;
        }
    }
}

void Decision::done() {
    progress_.store(word(kDecided), std::memory_order_release);
    syscall(SYS_futex, &progress_, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace ration::front
