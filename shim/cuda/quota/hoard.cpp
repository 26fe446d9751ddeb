#include "shim/cuda/quota/hoard.h"

namespace ration::cuda::quota {

bool Hoard::take(Account& account, std::uint64_t bytes) {
    constexpr std::uint64_t kStep = 32ULL << 20;
    if (spare_.take(bytes)) return true;
    if (bytes > account.limit()) return false;
    std::uint64_t taken = (bytes + kStep - 1) / kStep * kStep;
    if (!account.take(taken)) {
        // What the pool still has spare may do with the rest of the account.
        const std::uint64_t part = spare_.take_some(bytes);
        if (!account.take(bytes - part)) {
            spare_.put(part);
            return false;
        }
        charged_.fetch_add(bytes - part, std::memory_order_relaxed);
        return true;
    }
    charged_.fetch_add(taken, std::memory_order_relaxed);
    spare_.put(taken - bytes);
    return true;
}

// Of what allocations have, nothing is spare.
void Hoard::settle(Account& account, std::uint64_t reserved) {
    const std::uint64_t charged = this->charged();
    if (charged > reserved) {
        const std::uint64_t given = spare_.take_some(charged - reserved);
        charged_.fetch_sub(given, std::memory_order_relaxed);
        account.give(given);
    } else {
        account.overdraw(reserved - charged);
        charged_.fetch_add(reserved - charged, std::memory_order_relaxed);
        spare_.put(reserved - charged);
    }
}

}  // namespace ration::cuda::quota
