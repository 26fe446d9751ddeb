#include "shim/cuda/stream/dormancy.h"

#include <linux/membarrier.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <new>

#include "shim/cuda/stream/thread.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::stream {
namespace {

std::mutex waking;
std::atomic<bool> woken{false};

long membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

// Where there is no /proc it is taken for one of several.
bool is_only_thread() {
    constexpr nlink_t kWithOneThread = 3;  // ".", "..", and a folder for each
    struct stat threads {};
    return stat("/proc/self/task", &threads) == 0 && threads.st_nlink == kWithOneThread;
}

void wake_listed() {
    const host::UndisturbedLock lock(waking);
    if (woken.load(std::memory_order_relaxed)) return;
    if ((awake.fetch_or(kBlocking) & kUnfenced) == 0) {
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        wait_for_calls();
    }
    woken.store(true, std::memory_order_release);
}

}  // namespace

void ask_kernel() {
    constexpr long kNeeded =
        MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    const long has = membarrier(MEMBARRIER_CMD_QUERY);
    if (has < 0 || (has & kNeeded) != kNeeded) {
        awake |= kUnfenced;
    } else if (is_only_thread()) {
        // Later the driver's threads are there, and it takes an RCU grace period: 9 to 16 ms
        // instead of 4 us (measured: Linux 6.18; kernel/sched/membarrier.c,
        // sync_runqueues_membarrier_state).
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    }
}

void renew_dormancy() {
    new (&waking) std::mutex;
    woken = false;
    awake = 0;
}

void wake() {
    if (woken.load(std::memory_order_acquire)) return;
    Thread& thread = this_thread();
    if (!is_listed(thread)) return wake_listed();
    const Paused paused(thread);  // or two that wake at once would wait for each other
    wake_listed();
}

}  // namespace ration::cuda::stream
