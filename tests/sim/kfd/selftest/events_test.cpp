#include "tests/sim/kfd/events.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sim::kfd {
namespace {

using Wait = Events::Wait;

TEST(Events, OneThatResetsItselfWakesOnce) {
    Events events;
    const auto id = events.create(true);
    EXPECT_TRUE(events.set(id));
    EXPECT_EQ(events.wait({id}, false, 0), Wait::Complete);
    EXPECT_EQ(events.wait({id}, false, 0), Wait::Timeout);
}

TEST(Events, OneThatDoesNotStaysSet) {
    Events events;
    const auto id = events.create(false);
    events.set(id);
    EXPECT_EQ(events.wait({id}, false, 0), Wait::Complete);
    EXPECT_EQ(events.wait({id}, false, 0), Wait::Complete);
    events.reset(id);
    EXPECT_EQ(events.wait({id}, false, 0), Wait::Timeout);
}

TEST(Events, AnyOrAll) {
    Events events;
    const auto one = events.create(false);
    const auto two = events.create(false);
    events.set(one);
    EXPECT_EQ(events.wait({one, two}, false, 0), Wait::Complete);
    EXPECT_EQ(events.wait({one, two}, true, 0), Wait::Timeout);
    events.set(two);
    EXPECT_EQ(events.wait({one, two}, true, 0), Wait::Complete);
}

// Lost wake-ups hang ROCr, whose own thread waits for the same events as the program.
TEST(Events, SettingWakesEveryWaiter) {
    Events events;
    const auto id = events.create(true);
    std::atomic<int> woken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            EXPECT_EQ(events.wait({id}, false, Events::kForever), Wait::Complete);
            ++woken;
        });
    }
    // Whoever comes to wait after a setting is woken by the next one.
    while (woken < 4) {
        events.set(id);
        std::this_thread::yield();
    }
    for (std::thread& thread : threads) thread.join();
}

TEST(Events, DestroyingWakesTheWaiters) {
    Events events;
    const auto id = events.create(true);
    std::thread thread(
        [&] { EXPECT_NE(events.wait({id}, false, Events::kForever), Wait::Timeout); });
    events.destroy(id);
    thread.join();
}

TEST(Events, OneThatIsNotThereIsNotWaitedFor) {
    Events events;
    EXPECT_EQ(events.wait({7}, false, Events::kForever), Wait::Missing);
}

TEST(Events, NumbersAreFreedAndLimited) {
    Events events;
    const auto first = events.create(true);
    std::uint32_t last = first;
    while (const auto id = events.create(true)) last = id;
    EXPECT_EQ(last, 4095U);
    EXPECT_TRUE(events.destroy(first));
    EXPECT_FALSE(events.destroy(first));
    EXPECT_EQ(events.create(true), first);
}

}  // namespace
}  // namespace sim::kfd
