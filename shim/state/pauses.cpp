#include "shim/state/pauses.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace ration::state {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Outcome = Taken::Outcome;

constexpr milliseconds kLongest{250};
constexpr milliseconds kOfTransaction{1};

// Between a half and the whole of `pause`, so that those who wait don't come all at once.
nanoseconds about(nanoseconds pause, Pauses::Clock::time_point now) {
    const auto instant = static_cast<std::uint64_t>(now.time_since_epoch().count());
    const auto part = (instant * 2654435761u + static_cast<std::uint64_t>(getpid()) * 40503u) >> 8;
    const auto length = static_cast<std::uint64_t>(pause.count());
    return nanoseconds(length / 2 + part % (length / 2 + 1));
}

}  // namespace

std::optional<nanoseconds> Pauses::after(Taken& taken, Clock::time_point now) {
    if (taken.outcome == Outcome::kMoment) {
        if (!transaction_end_) transaction_end_ = now + transaction_;
        if (now < *transaction_end_) return about(kOfTransaction, now);
        taken.outcome = Outcome::kUnusable;
        taken.why += ", and has been for long: is it stopped? Let it go on, or end it";
        return std::nullopt;
    }
    transaction_end_.reset();
    if (taken.outcome != Outcome::kBusy) return std::nullopt;
    if (!end_) end_ = now + wait_;
    if (now >= *end_) return std::nullopt;
    const nanoseconds pause = about(next_, now);
    next_ = std::min(next_ * 2, kLongest);
    return std::min<nanoseconds>(pause, *end_ - now);
}

}  // namespace ration::state
