// Memory that the driver keeps for later: a pool's, or that of graphs.
#pragma once

#include <atomic>
#include <cstdint>

#include "shim/cuda/quota/account.h"
#include "shim/cuda/quota/credit.h"

namespace ration::cuda::quota {

// What a pool takes of its device is what it has reserved, not what the program has of it: freed
// memory stays in the pool until a synchronisation, and up to the release threshold even then. So
// a hoard draws on the account as the driver reserves, 32 MiB at a time (measured: H100, driver
// 580.159.04), serves the pool's allocations from that, and gives back only what settle() finds the
// driver has given up.
class Hoard {
  public:
    // False, and nothing is taken, if the account has not enough.
    bool take(Account& account, std::uint64_t bytes);
    void give(std::uint64_t bytes) { spare_.put(bytes); }

    // `reserved`: bytes that the driver says it has for it now. By one thread at a time, beside any
    // number that take and give.
    void settle(Account& account, std::uint64_t reserved);

    // Of the account.
    std::uint64_t charged() const { return charged_.load(std::memory_order_relaxed); }

  private:
    Credit spare_;  // charged, but of no allocation
    std::atomic<std::uint64_t> charged_{0};
};

}  // namespace ration::cuda::quota
