// The HIP streams for which the program chose CUs itself.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "shim/amd/api.h"
#include "shim/amd/cu_mask.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::amd {

// HIP tells of a stream what the program asked, not what the kernel made of it, and of any other
// stream what it computes from the number of CUs. A stream's address is used again, so every stream
// that is made is noted, those without a mask too, once a program has chosen CUs at all.
class Streams {
  public:
    // A stream was made; `asked` is empty unless the program chose CUs.
    void made(HipStream stream, Mask asked) {
        if (asked.empty() && !any_.load(std::memory_order_relaxed)) return;
        const host::UndisturbedLock lock(mutex_);
        if (asked.empty()) {
            asked_.erase(stream);
        } else {
            any_.store(true, std::memory_order_relaxed);
            asked_.insert_or_assign(stream, std::move(asked));
        }
    }

    // What the program chose; empty: nothing.
    Mask asked(HipStream stream) const {
        const host::UndisturbedLock lock(mutex_);
        const auto found = asked_.find(stream);
        return found == asked_.end() ? Mask{} : found->second;
    }

  private:
    std::atomic<bool> any_{false};  // so that most programs' streams cost no lock
    mutable std::mutex mutex_;
    std::map<HipStream, Mask> asked_;
};

}  // namespace ration::amd
