// When to ask again, for whoever waits for groups of SMs (groups.h).
#pragma once

#include <chrono>
#include <optional>

#include "shim/state/groups.h"

namespace ration::state {

// One wait. It sleeps nowhere: its owner does, where nothing is held.
class Pauses {
  public:
    using Clock = std::chrono::steady_clock;

    // `wait`: for groups that others hold. `transaction`: for another process in the middle of
    // taking. Each begins with the first answer of its kind.
    explicit Pauses(std::chrono::milliseconds wait,
                    std::chrono::milliseconds transaction = kLongestTransaction)
        : wait_(wait), transaction_(transaction) {}

    // How long to sleep before the next attempt, after one that ended so. Nothing: it is over, and
    // `taken` is the answer, never kMoment.
    std::optional<std::chrono::nanoseconds> after(Taken& taken,
                                                  Clock::time_point now = Clock::now());

  private:
    std::chrono::milliseconds wait_;
    std::chrono::milliseconds transaction_;
    std::optional<Clock::time_point> end_;
    std::optional<Clock::time_point> transaction_end_;
    std::chrono::milliseconds next_{10};
};

}  // namespace ration::state
