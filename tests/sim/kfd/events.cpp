#include "tests/sim/kfd/events.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace sim::kfd {
namespace {

constexpr std::uint32_t kLimit = 4096;  // KFD_SIGNAL_EVENT_LIMIT

}  // namespace

std::uint32_t Events::create(bool resets_itself, bool is_signal) {
    const std::lock_guard lock(mutex_);
    std::uint32_t id = 1;
    while (events_.contains(id)) ++id;
    if (id >= kLimit) return 0;
    events_[id].resets_itself = resets_itself;
    events_[id].is_signal = is_signal;
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
    ++event.age;
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

Events::Waiter Events::begin(const Awaited& awaited) {
    Event& event = events_[awaited.id];
    const bool older = event.is_signal && awaited.last_age != 0 && awaited.last_age != event.age;
    const Waiter waiter{awaited.id, event.is_set || older, event.age};
    if (event.resets_itself) event.is_set = false;
    ++event.waiters;
    return waiter;
}

// A destroyed event is over too.
bool Events::happened(const Waiter& waiter) const {
    const auto found = events_.find(waiter.id);
    return waiter.over_at_once || found == events_.end() || found->second.age != waiter.age;
}

void Events::finish(const std::vector<Waiter>& waiters, std::vector<Awaited>& awaited) {
    for (std::size_t i = 0; i < waiters.size(); ++i) {
        const auto found = events_.find(waiters[i].id);
        if (found == events_.end()) continue;
        --found->second.waiters;
        const bool told = found->second.is_signal && awaited[i].last_age != 0;
        if (told && happened(waiters[i])) awaited[i].last_age = found->second.age;
    }
}

Events::Wait Events::wait(std::vector<Awaited>& awaited, bool all, std::uint32_t milliseconds) {
    std::unique_lock lock(mutex_);
    std::vector<Waiter> waiters;
    for (const Awaited& one : awaited) {
        if (!events_.contains(one.id)) return Wait::Missing;
    }
    for (const Awaited& one : awaited) waiters.push_back(begin(one));
    const auto gone = [&] {
        return std::any_of(waiters.begin(), waiters.end(),
                           [&](const Waiter& waiter) { return !events_.contains(waiter.id); });
    };
    const auto over = [&] {
        const auto hits = std::count_if(waiters.begin(), waiters.end(),
                                        [&](const Waiter& waiter) { return happened(waiter); });
        return gone() || (all ? hits == std::ssize(waiters) : hits > 0);
    };
    bool in_time = true;
    if (milliseconds == kForever) {
        changed_.wait(lock, over);
    } else {
        in_time = changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), over);
    }
    finish(waiters, awaited);
    if (gone()) return Wait::Gone;
    return in_time ? Wait::Complete : Wait::Timeout;
}

}  // namespace sim::kfd
