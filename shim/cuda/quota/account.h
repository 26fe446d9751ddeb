// The quota of one device.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "shim/cuda/quota/credit.h"

namespace ration::cuda::quota {

// What the processes of a scope have together, in whole units. Called by one thread at a time.
class Supply {
  public:
    virtual ~Supply() = default;
    // Bytes: 0, or at least `least` and about `wanted`, which is not less.
    virtual std::uint64_t take(std::uint64_t least, std::uint64_t wanted) = 0;
    // Bytes that take() gave, in whole units.
    virtual void give(std::uint64_t bytes) = 0;
    // What no process has taken.
    virtual std::uint64_t left() = 0;
    virtual std::uint64_t unit() const = 0;
};

// Counts one device's memory. take() and give() are a few instructions; where processes share the
// quota they draw on what this one has taken of it in advance, a batch at a time.
class Account {
  public:
    // `limit` in bytes. Without a supply all of it is this process's own.
    explicit Account(std::uint64_t limit, std::unique_ptr<Supply> supply = nullptr);

    // False, and nothing is taken, if it is more than there is left.
    bool take(std::uint64_t bytes) { return credit_.take(bytes) || (supply_ && refill(bytes)); }

    void give(std::uint64_t bytes) {
        credit_.put(bytes);
        if (supply_ && credit_.left() > keep_at_most_) give_back();
    }

    // Takes even what is not there, because the driver has: the next take() gets nothing.
    void overdraw(std::uint64_t bytes) { credit_.overdraw(bytes); }

    std::uint64_t limit() const { return limit_; }
    // What this process has taken.
    std::uint64_t used() const;
    // What it could still take; the other processes of the scope may be faster.
    std::uint64_t left();

  private:
    bool refill(std::uint64_t bytes);
    void give_back();

    const std::uint64_t limit_;
    const std::unique_ptr<Supply> supply_;
    const std::uint64_t batch_;
    const std::int64_t keep_at_most_;
    Credit credit_;
    std::atomic<std::uint64_t> held_;  // of the supply: taken, or credit
    std::mutex mutex_;                 // of the supply
};

}  // namespace ration::cuda::quota
