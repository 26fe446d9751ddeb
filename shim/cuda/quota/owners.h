// Contexts that the program has made, whose memory ends with them.
#pragma once

#include <array>
#include <atomic>

#include "shim/cuda/api.h"

namespace ration::cuda::quota {

// Numbers from 1. What is no context of the program's own counts as number 0, the primary, whose
// memory green contexts use as well; so do contexts past the numbers there are.
class Owners {
  public:
    void add(CUcontext context) {
        for (std::size_t i = 0; i < contexts_.size(); ++i) {
            CUcontext free = nullptr;
            if (!contexts_[i].compare_exchange_strong(free, context)) continue;
            any_.store(true, std::memory_order_relaxed);
            return;
        }
    }

    // 0: not here.
    unsigned number(CUcontext context) const {
        if (context == nullptr) return 0;
        for (std::size_t i = 0; i < contexts_.size(); ++i) {
            if (contexts_[i].load(std::memory_order_relaxed) == context) {
                return static_cast<unsigned>(i + 1);
            }
        }
        return 0;
    }

    // While the context ends: nobody finds it, and nobody else gets its number. 0: not here.
    unsigned hide(CUcontext context) {
        const unsigned found = number(context);
        if (found == 0) return 0;
        const bool first =
            contexts_[found - 1].compare_exchange_strong(context, reinterpret_cast<CUcontext>(1));
        return first ? found : 0;
    }

    // After that: the context it was, or null where its number is free.
    void show(unsigned number, CUcontext context) { contexts_[number - 1] = context; }

    // False as long as no program's context has ever been there.
    bool any() const { return any_.load(std::memory_order_relaxed); }

  private:
    static constexpr std::size_t kMost = 255;  // Note::owner
    std::array<std::atomic<CUcontext>, kMost> contexts_{};
    std::atomic<bool> any_{false};
};

}  // namespace ration::cuda::quota
