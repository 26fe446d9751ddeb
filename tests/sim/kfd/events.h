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

    struct Awaited {
        std::uint32_t id;
        std::uint64_t last_age;  // 0: not said; of signals alone. After the wait, its age then
    };

    // The event's number, at least 1; 0 if there is no place left.
    std::uint32_t create(bool resets_itself, bool is_signal = true);
    // False if there is no such event.
    bool destroy(std::uint32_t id);
    bool set(std::uint32_t id);
    bool reset(std::uint32_t id);
    Wait wait(std::vector<Awaited>& awaited, bool all, std::uint32_t milliseconds);

  private:
    struct Event {
        bool resets_itself = true;
        bool is_signal = true;
        bool is_set = false;
        unsigned waiters = 0;
        std::uint64_t age = 1;  // plus one for each setting
    };
    struct Waiter {
        std::uint32_t id;
        bool over_at_once;
        std::uint64_t age;
    };
    bool happened(const Waiter& waiter) const;
    Waiter begin(const Awaited& awaited);
    void finish(const std::vector<Waiter>& waiters, std::vector<Awaited>& awaited);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint32_t, Event> events_;
};

}  // namespace sim::kfd
