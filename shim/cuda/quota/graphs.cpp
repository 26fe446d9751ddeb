#include "shim/cuda/quota/graphs.h"

#include <algorithm>
#include <utility>

#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::quota {
namespace {

// By which the driver's pools grow (measured: H100, driver 580.159.04).
constexpr std::uint64_t kStep = 32ULL << 20;

constexpr std::size_t kMostPlaces = 256;  // that are told apart

constexpr std::uint64_t in_steps(std::uint64_t bytes) {
    return (bytes + kStep - 1) / kStep * kStep;
}

}  // namespace

// The same graph is never twice at work.
bool GraphHoard::is_first_of_its_graph(std::size_t index) const {
    for (std::size_t i = 0; i < index; ++i) {
        if (flights_[i].need == flights_[index].need) return false;
    }
    return true;
}

// What the launches on their way in one place need together: they run one after the other, so that
// they share all but what they keep.
std::uint64_t GraphHoard::flying_in(const GraphPlace& place) const {
    std::uint64_t passing = 0;
    std::uint64_t kept = 0;
    for (std::size_t i = 0; i < flights_.size(); ++i) {
        if (flights_[i].place != place) continue;
        const KnownGraph::Need& need = *flights_[i].need;
        passing = std::max(passing, need.bytes - need.kept);
        if (is_first_of_its_graph(i)) kept += need.kept;
    }
    return passing + kept;
}

// As much as the driver may have reserved when all launches that are on their way are over, beside
// those that were before, which hold nothing that is not reserved already.
std::uint64_t GraphHoard::level() const {
    std::uint64_t flying = 0;
    unsigned places = 0;
    std::uint64_t former = kept_;
    for (std::size_t i = 0; i < flights_.size(); ++i) {
        const auto in_its_place = [&](const Flight& each) {
            return each.place == flights_[i].place;
        };
        const auto here = flights_.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::none_of(flights_.begin(), here, in_its_place)) {
            flying += flying_in(flights_[i].place);
            ++places;
        }
        // What it kept must have been freed.
        const KnownGraph::Need& need = *flights_[i].need;
        if (need.counted_in == life_ && is_first_of_its_graph(i)) former -= need.kept;
    }
    for (const auto& [place, most] : most_) {
        const std::uint64_t here = flying_in(place);
        // Where nobody else is on the way, what was before in the same place is gone first.
        if (here == 0 || places > 1) former += most - std::min(most, here);
    }
    return std::max(reserved_, flying + std::min(former, reserved_));
}

// A program with a stream for each request: whatever is reserved may be any stream's.
void GraphHoard::remember(const GraphPlace& place) {
    if (most_.size() == kMostPlaces && !most_.contains(place)) {
        most_.clear();
        kept_ = UINT64_MAX / 2;
    }
    most_.try_emplace(place, 0);
}

// Nothing is left to be allocated once a claim is made.
bool GraphHoard::claim(Account& account, Flight flight) {
    remember(flight.place);
    flights_.push_back(std::move(flight));
    const std::uint64_t wanted = level();
    const std::uint64_t charged = this->charged();
    if (wanted <= charged) return true;
    std::uint64_t claimed = in_steps(wanted) - charged;
    if (!account.take(claimed)) {
        claimed = wanted - charged;
        if (!account.take(claimed)) {
            flights_.pop_back();
            return false;
        }
    }
    charged_.store(charged + claimed, std::memory_order_relaxed);
    return true;
}

void GraphHoard::ended(const Flight& flight) {
    KnownGraph::Need& need = *flight.need;
    const auto here = most_.find(flight.place);
    if (here != most_.end()) here->second = std::max(here->second, need.bytes - need.kept);
    if (need.counted_in != life_) kept_ += need.kept;
    need.counted_in = life_;
}

void GraphHoard::end(std::uint64_t number, bool launched) {
    std::erase_if(flights_, [&](const Flight& flight) {
        if (flight.number != number) return false;
        if (launched) ended(flight);
        return true;
    });
}

// Stacks grow downwards. How far the driver got nobody knows.
bool GraphHoard::end_left(std::uint64_t thread, std::uintptr_t frame) {
    return std::erase_if(flights_, [&](const Flight& flight) {
               if (flight.thread != thread || flight.frame > frame) return false;
               ended(flight);
               return true;
           }) != 0;
}

bool GraphHoard::settle(Account& account, std::uint64_t reserved) {
    const bool moved = std::exchange(reserved_, reserved) != reserved;
    const std::uint64_t charged = this->charged();
    const std::uint64_t most = std::max(reserved, flights_.empty() ? 0 : in_steps(level()));
    const std::uint64_t right = std::clamp(charged, reserved, most);
    charged_.store(right, std::memory_order_relaxed);
    if (charged < right) account.overdraw(right - charged);
    if (charged > right) account.give(charged - right);
    if (reserved == 0 && flights_.empty() && (!most_.empty() || kept_ != 0)) {
        most_.clear();
        kept_ = 0;
        ++life_;
    }
    return moved || charged != right;
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
