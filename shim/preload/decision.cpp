#include "shim/preload/decision.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/host/generation.h"

namespace ration::front {
namespace {

constexpr unsigned kPhaseBits = 2;

}  // namespace

uint32_t Decision::word(Phase phase) { return host::generation() << kPhaseBits | phase; }

bool Decision::made() const { return progress_.load(std::memory_order_acquire) == word(kMade); }

bool Decision::first() {
    for (;;) {
        uint32_t seen = progress_.load(std::memory_order_acquire);
        if (seen == word(kMade)) return false;
        if (seen == word(kInstalling)) {
            syscall(SYS_futex, &progress_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
        } else if (progress_.compare_exchange_strong(seen, word(kInstalling))) {
            return true;
        }
    }
}

void Decision::done() {
    progress_.store(word(kMade), std::memory_order_release);
    syscall(SYS_futex, &progress_, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace ration::front
