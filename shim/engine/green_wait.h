// One call's wait for groups of SMs that others hold.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "shim/cuda/api.h"
#include "shim/host/open_sleep.h"
#include "shim/state/pauses.h"

namespace ration::engine {

// Whoever takes groups asks it whether to ask again; the call's outermost frame sleeps, where
// nothing of ours is held.
class GreenWait {
  public:
    // `most`: what the policy says. It begins when groups are first found to be held.
    explicit GreenWait(std::chrono::seconds most) : most_(most), pauses_(most) {}

    // After an attempt for groups of a device that ended so: whether to ask again after pause().
    // Where not, `taken` is the answer, never kMoment.
    bool goes_on(CUdevice device, const std::string& uuid, state::Taken& taken) {
        const auto pause = pauses_.after(taken);
        if (!pause) return false;
        pause_ = *pause;
        device_ = device;
        said_.clear();
        if (taken.outcome == state::Taken::Outcome::kBusy) {
            said_ = "waits up to " + std::to_string(most_.count()) + " s for groups of " + uuid +
                    ": " + taken.why;
        }
        return true;
    }

    std::chrono::nanoseconds pause() const { return pause_; }
    CUdevice device() const { return device_; }
    // What people are told; "" where another process is in the middle of taking, for microseconds.
    const std::string& said() const { return said_; }

    // Last under `held`: SIGINT or SIGTERM that came meanwhile ends the wait, too.
    void note_end(const host::HeldSignals& held) {
        end_is_asked_ = end_is_asked_ || host::end_was_asked(held);
    }
    bool end_is_asked() const { return end_is_asked_; }

  private:
    std::chrono::seconds most_;
    state::Pauses pauses_;
    std::chrono::nanoseconds pause_{0};
    CUdevice device_ = -1;
    std::string said_;
    bool end_is_asked_ = false;
};

}  // namespace ration::engine
