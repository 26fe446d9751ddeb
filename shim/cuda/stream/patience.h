// How long a waiter puts up with the one it waits for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ration::cuda::stream {

// A second, of which one look at the clock and the next can take no more than a round. So a process
// that was stopped, frozen or debugged, or whose machine was, loses a round by it, and whom it
// waits for has the rest to get on in.
class Patience {
  public:
    static constexpr std::int64_t kRoundNs = 100'000'000;

    bool lasts() const { return left_ns_ > 0; }
    // With some of whom each goes when it can: all of it again where they are fewer than ever.
    bool lasts_for(std::uint32_t some) {
        if (some < least_) left_ns_ = kAllNs;
        least_ = std::min(least_, some);
        return lasts();
    }
    void spend(std::int64_t ns) { left_ns_ -= std::min(ns, kRoundNs); }

  private:
    static constexpr std::int64_t kAllNs = 10 * kRoundNs;

    std::int64_t left_ns_ = kAllNs;
    std::uint32_t least_ = UINT32_MAX;
};

// CLOCK_MONOTONIC, in nanoseconds.
std::int64_t now_ns();

}  // namespace ration::cuda::stream
