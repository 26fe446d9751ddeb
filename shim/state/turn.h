// A lock that a forked child finds free, whatever its parent's threads were inside of.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "shim/host/generation.h"

namespace ration::state {

// One thread of a process at a time, by the process's generation: a child forked while another
// thread of its parent was inside finds a foreign one and enters, where a mutex would stay locked
// for ever. Whoever waits gives its time slice away.
class Turn {
  public:
    using Word = std::atomic<std::uint32_t>;  // of the thread that is inside; 0: nobody

    explicit Turn(Word& inside) : inside_(inside) {
        const std::uint32_t self = host::generation();
        std::uint32_t seen = inside_.load(std::memory_order_relaxed);
        while (seen == self || !inside_.compare_exchange_weak(seen, self, std::memory_order_acquire,
                                                              std::memory_order_relaxed)) {
            if (seen == self) {
                sched_yield();
                seen = inside_.load(std::memory_order_relaxed);
            }
        }
    }
    ~Turn() { inside_.store(0, std::memory_order_release); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    Word& inside_;
};

}  // namespace ration::state
