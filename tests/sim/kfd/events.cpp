#include "tests/sim/kfd/events.h"

#include <chrono>

namespace sim::kfd {
namespace {

constexpr std::uint32_t kLimit = 4096;  // KFD_SIGNAL_EVENT_LIMIT

}  // namespace

// What one call waits for: it is over for an event that was set then or has been set since.
struct Events::Waiter {
    std::uint32_t id;
    bool was_set;
    std::uint64_t times_set;
};

std::uint32_t Events::create(bool resets_itself) {
    const std::lock_guard lock(mutex_);
    std::uint32_t id = 1;
    while (events_.contains(id)) ++id;
    if (id >= kLimit) return 0;
    events_[id].resets_itself = resets_itself;
    return id;
}

bool Events::destroy(std::uint32_t id) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
    return events_.erase(id) > 0;
}

bool Events::set(std::uint32_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(id);
    if (found == events_.end()) return false;
    Event& event = found->second;
    ++event.times_set;
    event.is_set = !event.resets_itself || event.waiters == 0;
    changed_.notify_all();
    return true;
}

bool Events::reset(std::uint32_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(id);
    if (found == events_.end()) return false;
    found->second.is_set = false;
    return true;
}

Events::Wait Events::wait(const std::vector<std::uint32_t>& ids, bool all,
                          std::uint32_t milliseconds) {
    std::unique_lock lock(mutex_);
    for (const std::uint32_t id : ids) {
        if (!events_.contains(id)) return Wait::Missing;
    }
    std::vector<Waiter> waiters;
    for (const std::uint32_t id : ids) {
        Event& event = events_[id];
        waiters.push_back({id, event.is_set, event.times_set});
        if (event.resets_itself) event.is_set = false;
        ++event.waiters;
    }
    bool gone = false;
    const auto over = [&] {
        std::size_t hits = 0;
        for (const Waiter& waiter : waiters) {
            const auto found = events_.find(waiter.id);
            if (found == events_.end()) {
                gone = true;
                return true;
            }
            hits += waiter.was_set || found->second.times_set != waiter.times_set ? 1 : 0;
        }
        return all ? hits == waiters.size() : hits > 0;
    };
    bool in_time = true;
    if (milliseconds == kForever) {
        changed_.wait(lock, over);
    } else {
        in_time = changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), over);
    }
    for (const Waiter& waiter : waiters) {
        const auto found = events_.find(waiter.id);
        if (found != events_.end()) --found->second.waiters;
    }
    if (gone) return Wait::Gone;
    return in_time ? Wait::Complete : Wait::Timeout;
}

}  // namespace sim::kfd
