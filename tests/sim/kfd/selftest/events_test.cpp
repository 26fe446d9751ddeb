#include "tests/sim/kfd/events.h"

#include <gtest/gtest.h>

#include <atomic>
#include <initializer_list>
#include <thread>
#include <vector>

namespace sim::kfd {
namespace {

using Wait = Events::Wait;

Wait wait(Events& events, std::initializer_list<std::uint32_t> ids, bool all,
          std::uint32_t milliseconds) {
    std::vector<Events::Awaited> awaited;
    for (const std::uint32_t id : ids) awaited.push_back({id, 0});
    return events.wait(awaited, all, milliseconds);
}

TEST(Events, OneThatResetsItselfWakesOnce) {
    Events events;
    const auto id = events.create(true);
    EXPECT_TRUE(events.set(id));
    EXPECT_EQ(wait(events, {id}, false, 0), Wait::Complete);
    EXPECT_EQ(wait(events, {id}, false, 0), Wait::Timeout);
}

TEST(Events, OneThatDoesNotStaysSet) {
    Events events;
    const auto id = events.create(false);
    events.set(id);
    EXPECT_EQ(wait(events, {id}, false, 0), Wait::Complete);
    EXPECT_EQ(wait(events, {id}, false, 0), Wait::Complete);
    events.reset(id);
    EXPECT_EQ(wait(events, {id}, false, 0), Wait::Timeout);
}

TEST(Events, AnyOrAll) {
    Events events;
    const auto one = events.create(false);
    const auto two = events.create(false);
    events.set(one);
    EXPECT_EQ(wait(events, {one, two}, false, 0), Wait::Complete);
    EXPECT_EQ(wait(events, {one, two}, true, 0), Wait::Timeout);
    events.set(two);
    EXPECT_EQ(wait(events, {one, two}, true, 0), Wait::Complete);
}

// ROCr looks at its signals between two waits: what is set meanwhile must not be lost, even if
// another waiter has it.
TEST(Events, AnOlderAgeIsOverAtOnce) {
    Events events;
    const auto id = events.create(true);
    std::vector<Events::Awaited> awaited{{id, 1}};
    EXPECT_EQ(events.wait(awaited, false, 0), Wait::Timeout);
    EXPECT_EQ(awaited[0].last_age, 1U);
    events.set(id);
    EXPECT_EQ(wait(events, {id}, false, 0), Wait::Complete);
    EXPECT_EQ(events.wait(awaited, false, 0), Wait::Complete);
    EXPECT_EQ(awaited[0].last_age, 2U);
    EXPECT_EQ(events.wait(awaited, false, 0), Wait::Timeout);
}

TEST(Events, OnlySignalsHaveAnAge) {
    Events events;
    std::vector<Events::Awaited> awaited{{events.create(true, false), 77}};
    EXPECT_EQ(events.wait(awaited, false, 0), Wait::Timeout);
    EXPECT_EQ(awaited[0].last_age, 77U);
}

// Lost wake-ups hang ROCr, whose own thread waits for the same events as the program.
TEST(Events, SettingWakesEveryWaiter) {
    Events events;
    const auto id = events.create(true);
    std::atomic<int> woken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            EXPECT_EQ(wait(events, {id}, false, Events::kForever), Wait::Complete);
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
        [&] { EXPECT_NE(wait(events, {id}, false, Events::kForever), Wait::Timeout); });
    events.destroy(id);
    thread.join();
}

TEST(Events, OneThatIsNotThereIsNotWaitedFor) {
    Events events;
    EXPECT_EQ(wait(events, {7}, false, Events::kForever), Wait::Missing);
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
