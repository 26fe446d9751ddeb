// One memory quota for all processes of a scope.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "shim/state/quota_units.h"
#include "tests/unit/state_groups_support.h"

namespace ration::state {
namespace {

using testing::HasSubstr;

class StateQuotaUnits : public testing::Test {
  protected:
    StateQuotaUnits() : place_{folder_.path(), "", ""} {}

    std::unique_ptr<QuotaUnits> open(unsigned quota, const char* scope = "user:1000") const {
        std::string why;
        auto units = QuotaUnits::open(place_, kGpu, scope, quota, why);
        EXPECT_NE(units, nullptr) << why;
        return units;
    }
    std::string file() const { return lock_path(place_, "quota", kGpu); }

    // Takes `count` units in a child, which keeps them until it is told to go on.
    std::unique_ptr<Child> other(unsigned quota, unsigned count,
                                 const char* scope = "user:1000") const {
        auto child = std::make_unique<Child>([=, this](const Child::Side& side) {
            std::string why;
            const auto units = QuotaUnits::open(place_, kGpu, scope, quota, why);
            if (!units || (count > 0 && units->take(count, count, why) != count)) return 1;
            side.ready();
            side.wait();
            return 0;
        });
        EXPECT_TRUE(child->await_ready());
        return child;
    }
    static void end(Child& child) {
        child.go();
        child.join();
    }
    static unsigned take(QuotaUnits& units, unsigned least, unsigned most) {
        std::string why;
        const unsigned count = units.take(least, most, why);
        EXPECT_EQ(why, "");
        return count;
    }
    // How many units another process could take.
    unsigned left(unsigned quota, const char* scope = "user:1000") const {
        Shared<unsigned> count;
        Child::run([&] {
            std::string why;
            const auto units = QuotaUnits::open(place_, kGpu, scope, quota, why);
            *count = units ? units->take(1, kMostUnits, why) : 12345;
            return 0;
        });
        return *count;
    }

    TempFolder folder_;
    LockPlace place_;
};

TEST_F(StateQuotaUnits, OneProcessHasAll) {
    const auto units = open(100);
    EXPECT_EQ(take(*units, 10, 10), 10u);
    EXPECT_EQ(take(*units, 1, 60), 60u);
    EXPECT_EQ(take(*units, 31, 40), 0u);
    EXPECT_EQ(take(*units, 20, 40), 30u);
    EXPECT_EQ(take(*units, 1, 1), 0u);
    const auto usage = units->usage();
    EXPECT_EQ(usage.quota, 100u);
    EXPECT_EQ(usage.own, 100u);
    EXPECT_EQ(usage.others, 0u);
    units->give_back(25);
    EXPECT_EQ(take(*units, 1, 100), 25u);
    EXPECT_EQ(left(100), 0u);
    units->give_back(1000);
    EXPECT_EQ(units->usage().own, 0u);
    EXPECT_EQ(left(100), 100u);
}

TEST_F(StateQuotaUnits, MembersShareIt) {
    const auto one = other(100, 30);
    const auto two = other(100, 50);
    const auto units = open(100);
    EXPECT_EQ(units->usage().others, 80u);
    EXPECT_EQ(take(*units, 21, 21), 0u);
    EXPECT_EQ(take(*units, 20, 21), 20u);
    EXPECT_EQ(units->usage().own, 20u);
    EXPECT_EQ(left(100), 0u);
    two->kill(SIGKILL);
    two->join();
    EXPECT_EQ(units->usage().others, 30u) << "what a killed process had taken is free";
    EXPECT_EQ(take(*units, 50, 50), 50u);
}

TEST_F(StateQuotaUnits, ScopesAndDevicesDoNotDisturbEachOther) {
    const auto one = other(100, 100);
    EXPECT_EQ(left(100, "user:1001"), 100u);
    std::string why;
    const auto units =
        QuotaUnits::open(place_, "GPU-22222222-2222-3333-4444-555555555555", "user:1000", 7, why);
    EXPECT_EQ(take(*units, 7, 7), 7u);
}

TEST_F(StateQuotaUnits, TheSmallestQuotaHoldsWhileItsMemberLives) {
    const auto large = open(100);
    EXPECT_EQ(take(*large, 30, 30), 30u);
    auto small = other(40, 0);
    EXPECT_EQ(large->usage().quota, 40u);
    EXPECT_EQ(take(*large, 11, 70), 0u);
    EXPECT_EQ(take(*large, 1, 70), 10u);
    EXPECT_EQ(left(60), 0u);
    end(*small);
    EXPECT_EQ(large->usage().quota, 100u);
    EXPECT_EQ(take(*large, 40, 40), 40u);
    small = other(50, 0);
    EXPECT_EQ(large->usage().own, 80u) << "it keeps what it has";
    EXPECT_EQ(take(*large, 1, 1), 0u);
    EXPECT_EQ(left(50), 0u);
}

// Units above the smallest quota count, wherever they are.
TEST_F(StateQuotaUnits, CountsWhatWasTakenAboveTheSmallestQuota) {
    const auto low = other(100, 40);
    const auto high = open(100);
    EXPECT_EQ(take(*high, 30, 30), 30u);  // of the upper half
    end(*low);
    const auto small = other(40, 0);
    EXPECT_EQ(left(100), 10u);
    EXPECT_EQ(take(*high, 1, 100), 10u);
}

TEST_F(StateQuotaUnits, GathersWhatIsScattered) {
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 10; ++i) children.push_back(other(100, 10));
    EXPECT_EQ(left(100), 0u);
    for (std::size_t i = 0; i < children.size(); i += 2) end(*children[i]);
    const auto units = open(100);
    EXPECT_EQ(take(*units, 50, 50), 50u);
    EXPECT_EQ(take(*units, 1, 1), 0u);
    units->give_back(45);
    EXPECT_EQ(units->usage().own, 5u);
    EXPECT_EQ(left(100), 45u);
}

TEST_F(StateQuotaUnits, AForkedChildStartsWithNothing) {
    const auto units = open(100);
    EXPECT_EQ(take(*units, 60, 60), 60u);
    EXPECT_EQ(Child::run([&] {
                  const auto usage = units->usage();
                  if (usage.own != 0 || usage.others != 60) return 1;
                  units->give_back(60);
                  std::string why;
                  if (units->take(1, 100, why) != 40) return 2;
                  closefrom(3);
                  return 0;
              }),
              0);
    EXPECT_EQ(units->usage().own, 60u);
    EXPECT_EQ(left(100), 40u) << "the child has dropped no lock of its parent's";
}

TEST_F(StateQuotaUnits, LostLocksAreTakenAgain) {
    const auto units = open(100);
    EXPECT_EQ(take(*units, 60, 60), 60u);
    close(::open(file().c_str(), O_RDONLY));  // drops all of this process's locks
    EXPECT_EQ(left(100), 100u);
    EXPECT_EQ(units->usage().own, 60u);
    EXPECT_EQ(left(100), 40u);
    unlink(file().c_str());
    EXPECT_EQ(units->usage().own, 60u);
    EXPECT_EQ(left(100), 40u);
}

TEST_F(StateQuotaUnits, WhatSomebodyElseTookMeanwhileIsStillCounted) {
    const auto units = open(100);
    EXPECT_EQ(take(*units, 60, 60), 60u);
    close(::open(file().c_str(), O_RDONLY));
    const auto thief = other(100, 70);
    EXPECT_EQ(units->usage().own, 60u) << "30 of them are locked";
    EXPECT_EQ(left(100), 0u);
    units->give_back(30);
    EXPECT_EQ(left(100), 0u) << "first those that were not";
    units->give_back(10);
    EXPECT_EQ(left(100), 10u);
}

TEST_F(StateQuotaUnits, ThreadsOfOneProcess) {
    const auto units = open(1000);
    std::atomic<unsigned> held{0};
    std::atomic<bool> over{false};
    const auto work = [&] {
        for (int i = 0; i < 200; ++i) {
            std::string why;
            const unsigned count = units->take(1, 300, why);
            if ((held += count) > 1000) over = true;
            held -= count;
            units->give_back(count);
        }
    };
    std::thread threads[4];
    for (auto& thread : threads) thread = std::thread(work);
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(over);
    EXPECT_EQ(units->usage().own, 0u);
}

TEST_F(StateQuotaUnits, NowhereToCount) {
    std::string why;
    EXPECT_EQ(QuotaUnits::open({"/no/such", "", ""}, kGpu, "user:1", 1, why), nullptr);
    EXPECT_THAT(why, HasSubstr("No such file"));
}

}  // namespace
}  // namespace ration::state
