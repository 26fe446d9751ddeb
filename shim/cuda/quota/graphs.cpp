#include "shim/cuda/quota/graphs.h"

#include <algorithm>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {
namespace {

// By which the driver's pools grow (measured: H100, driver 580.159.04).
constexpr std::uint64_t kStep = 32ULL << 20;

constexpr std::size_t kMostPlaces = 256;  // that are told apart

}  // namespace

// What launches in other places may hold, and what is kept until the program frees it.
std::uint64_t GraphHoard::others(const KnownGraph::Need& need, const GraphPlace& place) const {
    std::uint64_t bytes = kept_ - (need.counted_in == life_ ? need.kept : 0);
    for (const auto& [each, most] : most_) {
        if (each != place) bytes += most;
    }
    return std::min(bytes, reserved_);
}

// What a place has had most of; nothing is left to be allocated once a claim is made.
std::uint64_t& GraphHoard::most_of(const GraphPlace& place) {
    // A program with a stream for each request: whatever is reserved may be any stream's.
    if (most_.size() == kMostPlaces && !most_.contains(place)) {
        most_.clear();
        kept_ = UINT64_MAX / 2;
    }
    return most_[place];
}

bool GraphHoard::claim(Account& account, KnownGraph::Need& need, const GraphPlace& place,
                       std::uint64_t& claimed) {
    const std::uint64_t wanted = others(need, place) + need.bytes;
    const std::uint64_t exact = wanted > reserved_ ? wanted - reserved_ : 0;
    std::uint64_t& most = most_of(place);
    claimed = exact == 0 ? 0 : (wanted + kStep - 1) / kStep * kStep - reserved_;
    if (!account.take(claimed)) {
        claimed = exact;
        if (!account.take(claimed)) return false;
    }
    claimed_ += claimed;
    charged_.fetch_add(claimed, std::memory_order_relaxed);
    most = std::max(most, need.bytes - need.kept);
    if (need.counted_in != life_) kept_ += need.kept;
    need.counted_in = life_;
    return true;
}

void GraphHoard::settle(Account& account, std::uint64_t reserved, std::uint64_t done) {
    claimed_ -= done;
    reserved_ = reserved;
    const std::uint64_t charged = this->charged();
    const std::uint64_t right = std::clamp(charged, reserved, reserved + claimed_);
    charged_.store(right, std::memory_order_relaxed);
    if (charged < right) account.overdraw(right - charged);
    if (charged > right) account.give(charged - right);
    if (reserved != 0 || claimed_ != 0 || most_.empty()) return;
    most_.clear();
    kept_ = 0;
    ++life_;
}

void Graphs::made(CUgraphExec exec, std::shared_ptr<KnownGraph> graph) {
    if (graph == nullptr) {
        if (has(exec)) hide(exec);
        return;
    }
    const host::UndisturbedLock lock(mutex_);
    graphs_.insert_or_assign(exec, std::move(graph));
    known_.insert(key_of(exec), Note{});
    any_.store(true, std::memory_order_relaxed);
}

std::shared_ptr<KnownGraph> Graphs::hide(CUgraphExec exec) {
    const host::UndisturbedLock lock(mutex_);
    known_.extract(key_of(exec));
    const auto found = graphs_.extract(exec);
    return found.empty() ? nullptr : found.mapped();
}

std::shared_ptr<KnownGraph> Graphs::find(CUgraphExec exec) {
    const host::UndisturbedLock lock(mutex_);
    const auto found = graphs_.find(exec);
    return found == graphs_.end() ? nullptr : found->second;
}

}  // namespace ration::cuda::quota
