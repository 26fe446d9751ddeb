// Who waits for whom in the stream layer's lock, and how long. Time is the test's.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "shim/cuda/stream/order_lock.h"
#include "shim/cuda/stream/patience.h"

namespace ration::cuda::stream {
namespace {

// The thread for which time passes only as the test lets it, by the hour. It looks at the clock
// before and after each time that it sleeps.
std::atomic<pthread_t> watched{0};
std::atomic<long> hours{0};
std::atomic<unsigned> looks{0};
// What the other threads have looked.
std::atomic<unsigned> others{0};

bool is_watched() { return pthread_equal(watched, pthread_self()) != 0; }

class Waiter {
  public:
    explicit Waiter(const std::function<OrderLock::Held()>& get) {
        signal(SIGUSR1, [](int) {});
        looks = 0;
        thread_ = std::thread([this, get] {
            watched = pthread_self();
            held_ = get();
            done_ = true;
        });
    }
    ~Waiter() {
        end();
        watched = 0;
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    bool done() const { return done_; }
    bool sleeps() const { return looks % 2 == 1; }
    // Once more, where it has looked `before` times.
    void fall_asleep(unsigned before) const {
        while (!done_ && (looks < before + 2 || !sleeps())) usleep(100);
    }
    // Each hour is one time of sleeping.
    void sleep_for(int times) {
        while (!done_ && !sleeps()) sched_yield();
        for (; times > 0 && !done_; --times) {
            const unsigned before = looks;
            ++hours;
            while (!done_ && (looks < before + 2 || !sleeps())) {
                pthread_kill(thread_.native_handle(), SIGUSR1);
                usleep(1000);
            }
        }
    }
    OrderLock::Held end() {
        if (thread_.joinable()) thread_.join();
        return held_;
    }

  private:
    std::thread thread_;
    std::atomic<bool> done_{false};
    OrderLock::Held held_ = 0;
};

constexpr int kAlmost = 9;  // rounds

TEST(StreamPatience, IsCountedInRounds) {
    Patience patience;
    for (int round = 0; round < kAlmost; ++round) patience.spend(3600 * Patience::kRoundNs);
    EXPECT_TRUE(patience.lasts());
    patience.spend(Patience::kRoundNs / 2);
    EXPECT_TRUE(patience.lasts());
    patience.spend(Patience::kRoundNs / 2);
    EXPECT_FALSE(patience.lasts());
}

TEST(StreamPatience, BeginsAnewWhenSomeHaveGone) {
    Patience patience;
    EXPECT_TRUE(patience.lasts_for(3));
    for (int round = 0; round <= kAlmost; ++round) patience.spend(Patience::kRoundNs);
    EXPECT_FALSE(patience.lasts_for(3));
    EXPECT_FALSE(patience.lasts_for(4));
    EXPECT_TRUE(patience.lasts_for(2));
}

// Where the process does not run for an hour, neither does whoever has the lock.
TEST(StreamLock, IsWaitedForWhereTimeJumps) {
    for (const bool shares : {false, true}) {
        OrderLock order;
        const OrderLock::Held held = order.take();
        Waiter waiter([&] { return shares ? order.share() : order.take(); });
        waiter.sleep_for(kAlmost);
        EXPECT_FALSE(waiter.done()) << shares;
        waiter.sleep_for(1);
        EXPECT_NE(waiter.end(), 0U) << shares;
        order.release(held);
    }
}

TEST(StreamLock, IsWaitedForWhereSharersGo) {
    OrderLock order;
    const OrderLock::Held one = order.share();
    const OrderLock::Held other = order.share();
    Waiter waiter([&] { return order.take(); });
    waiter.sleep_for(kAlmost);
    order.unshare(one);
    waiter.sleep_for(kAlmost);
    EXPECT_FALSE(waiter.done());
    waiter.sleep_for(2);
    EXPECT_TRUE(waiter.done());
    order.unshare(other);
}

// The same thread has it again, in another turn.
TEST(StreamLock, IsWaitedForAnewInEachTurn) {
    OrderLock order;
    std::atomic<bool> taken{true};
    bool in_time = true;
    OrderLock::Held held = order.take();
    Waiter waiter([&] {
        const OrderLock::Held got = order.take();
        in_time = !taken;
        order.release(got);
        return got;
    });
    waiter.sleep_for(kAlmost);
    taken = false;
    order.release(held);
    held = order.take();
    taken = true;
    waiter.sleep_for(kAlmost);
    taken = false;
    order.release(held);
    waiter.end();
    EXPECT_TRUE(in_time);
}

// Who has taken it and waits for those that share it is not stuck.
TEST(StreamLock, IsWaitedForWhereItsTakerWaits) {
    OrderLock order;
    const OrderLock::Held shared = order.share();
    std::atomic<int> came{0};
    int first = 0;
    others = 0;
    std::thread taker([&] {
        const OrderLock::Held held = order.take();
        first = ++came;
        order.release(held);
    });
    while (others == 0) sched_yield();
    Waiter waiter([&] {
        const OrderLock::Held held = order.take();
        ++came;
        return held;
    });
    waiter.sleep_for(kAlmost);
    const unsigned before = others;
    while (others < before + 3) sched_yield();
    waiter.sleep_for(kAlmost);
    order.unshare(shared);
    taker.join();
    order.release(waiter.end());
    EXPECT_EQ(first, 1);
}

// Threads made from now on have this one's processor, and do not preempt it when they wake.
void stay_ahead() {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
    const sched_param none{};
    sched_setscheduler(0, SCHED_BATCH, &none);
}

// How often one thread takes it again before another has it that waits, and `most` times at most.
int turns_ahead(int most) {
    OrderLock order;
    OrderLock::Held held = order.take();
    Waiter waiter([&] {
        const OrderLock::Held got = order.take();
        order.release(got);
        return got;
    });
    waiter.sleep_for(0);
    int turns = 0;
    for (; turns < most && !waiter.done(); ++turns) {
        const unsigned before = looks;
        order.release(held);
        held = order.take();
        waiter.fall_asleep(before);
    }
    order.release(held);
    return turns;
}

// Nobody who takes it again and again keeps another from it. Several times, as the other one may
// have luck.
TEST(StreamLock, ComesToWhoLosesEachRace) {
    constexpr int kMany = 64;
    stay_ahead();
    for (int i = 0; i < 4; ++i) EXPECT_LT(turns_ahead(kMany), kMany);
}

// Who was given up on takes nothing from who has it since.
TEST(StreamLock, IsNotGivenBackByWhoWasGivenUpOn) {
    OrderLock order;
    const OrderLock::Held late = order.take();
    const OrderLock::Held now = std::async(std::launch::async, [&] { return order.take(); }).get();
    ASSERT_NE(now, 0U) << "after a second";
    order.release(late);
    auto next = std::async(std::launch::async, [&] {
        const OrderLock::Held held = order.share();
        order.unshare(held);
        return held != 0;
    });
    EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    order.release(now);
    EXPECT_TRUE(next.get());

    const OrderLock::Held lost = order.share();
    order.release(order.take());
    const OrderLock::Held other = order.share();
    order.unshare(lost);
    auto last = std::async(std::launch::async, [&] { order.release(order.take()); });
    EXPECT_EQ(last.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    order.unshare(other);
    last.get();
}

}  // namespace

bool tell_time(timespec* time) {
    if (is_watched()) {
        *time = {hours * 3600, 0};
        ++looks;
        return true;
    }
    ++others;
    return false;
}

}  // namespace ration::cuda::stream

// In the place of libc's, for this program.
extern "C" int clock_gettime(clockid_t clock, timespec* time) {
    if (clock == CLOCK_MONOTONIC && ration::cuda::stream::tell_time(time)) return 0;
    return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
}
