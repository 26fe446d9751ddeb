// KFD events, by the rules of amdkfd/kfd_events.c: setting one wakes all who wait for it at that
// moment; one that resets itself stays set only if nobody waited.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace sim::kfd {

class Events {
  public:
    enum class Wait {
        Complete,
        Timeout,
        Missing,  // one of them never was
        Gone,     // one of them was destroyed meanwhile
    };
    static constexpr std::uint32_t kForever = 0xffffffff;  // KFD's "no time-out"

    // The event's number, at least 1; 0 if there is no place left.
    std::uint32_t create(bool resets_itself);
    // False if there is no such event.
    bool destroy(std::uint32_t id);
    bool set(std::uint32_t id);
    bool reset(std::uint32_t id);
    Wait wait(const std::vector<std::uint32_t>& ids, bool all, std::uint32_t milliseconds);

  private:
    struct Event {
        bool resets_itself = true;
        bool is_set = false;
        unsigned waiters = 0;
        std::uint64_t times_set = 0;
    };
    struct Waiter;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint32_t, Event> events_;
};

}  // namespace sim::kfd
