// An amount that many threads take from and put back into.
#pragma once

#include <atomic>
#include <cstdint>

namespace ration::cuda::quota {

// Bytes. Never waits, and nothing is left half done: a handler may leave by longjmp at any point.
class Credit {
  public:
    explicit Credit(std::uint64_t bytes = 0) : left_(static_cast<std::int64_t>(bytes)) {}

    // All of it or nothing.
    bool take(std::uint64_t bytes) {
        std::int64_t left = left_.load(std::memory_order_relaxed);
        do {
            if (left < 0 || bytes > static_cast<std::uint64_t>(left)) return false;
        } while (!left_.compare_exchange_weak(left, left - static_cast<std::int64_t>(bytes),
                                              std::memory_order_relaxed));
        return true;
    }

    // As much of it as there is.
    std::uint64_t take_some(std::uint64_t most) {
        std::int64_t left = left_.load(std::memory_order_relaxed);
        std::uint64_t taken = 0;
        do {
            if (left <= 0) return 0;
            taken = most < static_cast<std::uint64_t>(left) ? most : left;
        } while (!left_.compare_exchange_weak(left, left - static_cast<std::int64_t>(taken),
                                              std::memory_order_relaxed));
        return taken;
    }

    // Even where there is less: what the driver has taken already.
    void overdraw(std::uint64_t bytes) {
        left_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    }

    void put(std::uint64_t bytes) {
        left_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    }

    // Below zero where it is overdrawn.
    std::int64_t left() const { return left_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> left_;
};

}  // namespace ration::cuda::quota
