#include "shim/cuda/quota/account.h"

#include <algorithm>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {
namespace {

// A share of the quota that processes may hold without using it: small, so that the last memory of
// a quota is not spread over them; not too small, since each batch costs system calls.
std::uint64_t batch_of(std::uint64_t limit, const Supply* supply) {
    constexpr std::uint64_t kLargest = 64ULL << 20;
    constexpr std::uint64_t kParts = 64;
    if (supply == nullptr) return 0;
    const std::uint64_t unit = supply->unit();
    return std::max(std::min(limit / kParts, kLargest) / unit, std::uint64_t{1}) * unit;
}

std::uint64_t at_least_zero(std::int64_t bytes) {
    return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

}  // namespace

Account::Account(std::uint64_t limit, std::unique_ptr<Supply> supply)
    : limit_(std::min<std::uint64_t>(limit, INT64_MAX)),
      supply_(std::move(supply)),
      batch_(batch_of(limit_, supply_.get())),
      keep_at_most_(static_cast<std::int64_t>(2 * batch_)),
      credit_(supply_ ? 0 : limit_),
      held_(supply_ ? 0 : limit_) {}

bool Account::refill(std::uint64_t bytes) {
    if (bytes > limit_) return false;
    const host::UndisturbedLock lock(mutex_);
    // Another thread may have been here in between, and others take of what it brought.
    while (!credit_.take(bytes)) {
        const auto missing =
            static_cast<std::uint64_t>(static_cast<std::int64_t>(bytes) - credit_.left());
        if (missing > limit_) return false;
        const std::uint64_t taken = supply_->take(missing, missing + batch_);
        if (taken == 0) return false;
        held_ += taken;
        credit_.put(taken);
    }
    return true;
}

void Account::give_back() {
    const host::UndisturbedLock lock(mutex_);
    const std::uint64_t unit = supply_->unit();
    const std::uint64_t spare = at_least_zero(credit_.left());
    if (spare <= batch_) return;
    const std::uint64_t whole = (spare - batch_) / unit * unit;
    const std::uint64_t taken = credit_.take_some(whole);
    const std::uint64_t given = taken / unit * unit;
    credit_.put(taken - given);
    held_ -= given;
    if (given != 0) supply_->give(given);
}

std::uint64_t Account::used() const {
    return at_least_zero(static_cast<std::int64_t>(held_) - credit_.left());
}

std::uint64_t Account::left() {
    const std::uint64_t own = at_least_zero(credit_.left());
    if (!supply_) return own;
    const host::UndisturbedLock lock(mutex_);
    return own + supply_->left();
}

}  // namespace ration::cuda::quota
