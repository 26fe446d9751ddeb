// A lock of ours, taken in a thread of the program.
#pragma once

#include <mutex>

#include "shim/host/undisturbed.h"

namespace ration::host {

// No handler's longjmp and no cancellation leaves it taken, or the work under it half done. Costs
// two system calls.
class UndisturbedLock {
  public:
    explicit UndisturbedLock(std::mutex& mutex) : lock_(mutex) {}

  private:
    const HeldSignals held_{HeldSignals::Which::kAll};
    const Uncancelled uncancelled_;
    const std::lock_guard<std::mutex> lock_;
};

}  // namespace ration::host
