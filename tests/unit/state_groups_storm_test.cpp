// Processes that take groups and quota units, and are killed at any instant.
#include <fcntl.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "shim/state/group_view.h"
#include "shim/state/quota_units.h"
#include "tests/unit/state_groups_support.h"

namespace ration::state {
namespace {

constexpr unsigned kGroups = 24;
constexpr unsigned kProcesses = 12;
constexpr unsigned kUnits = 200;

// What children write down of what they were given, to compare it with what the others were.
struct Ledger {
    // Group k: 0, or 1 + the child that holds it exclusively.
    std::array<std::atomic<unsigned>, kGroups> owner{};
    std::array<std::atomic<unsigned>, kGroups> users{};  // not exclusively; of those never killed
    std::array<std::atomic<bool>, 100000> killed{};
    std::atomic<unsigned> violations{0};
    std::atomic<unsigned> taken{0};
    std::atomic<bool> over{false};
};

class StateGroupsStorm : public GroupsTest {
  protected:
    // The former owner's entry stays when it is killed; its groups are free from then on.
    void write_down(unsigned self, const GroupSet& groups) {
        for (unsigned group = 0; group < kGroups; ++group) {
            if (!groups[group]) continue;
            const unsigned former = ledger_->owner[group].exchange(self + 1);
            if (former != 0 && !ledger_->killed[former - 1]) ++ledger_->violations;
        }
        ++ledger_->taken;
    }
    void strike_out(unsigned self, const GroupSet& groups) {
        for (unsigned group = 0; group < kGroups; ++group) {
            if (!groups[group]) continue;
            if (ledger_->owner[group].exchange(0) != self + 1) ++ledger_->violations;
        }
    }
    int take_and_give_back(unsigned self) {
        std::mt19937 random(self);
        const auto groups = open();
        if (!groups) return 1;
        while (!ledger_->over) {
            const Taken taken = groups->take(layout_of(kGroups), some(1 + random() % 8));
            if (taken.outcome == Taken::Outcome::kBusy) continue;
            if (taken.outcome != Taken::Outcome::kTaken) return 2;
            write_down(self, taken.groups);
            if (random() % 4 == 0) sched_yield();
            strike_out(self, taken.groups);
            groups->release();
        }
        return 0;
    }

    Shared<Ledger> ledger_;
};

TEST_F(StateGroupsStorm, NoGroupTwiceAndNoneLost) {
    std::mt19937 random(1);
    std::array<std::unique_ptr<Child>, kProcesses> children;
    unsigned next = 0;
    std::array<unsigned, kProcesses> number{};
    const auto start = [&](unsigned i) {
        number[i] = next++;
        children[i] = std::make_unique<Child>([&](const Child::Side& side) {
            side.ready();
            return take_and_give_back(number[i]);
        });
        ASSERT_TRUE(children[i]->await_ready());
    };
    for (unsigned i = 0; i < kProcesses; ++i) start(i);
    for (int round = 0; round < 600; ++round) {
        const unsigned victim = random() % kProcesses;
        ledger_->killed[number[victim]] = true;
        children[victim]->kill(SIGKILL);
        if (children[victim]->join() != 128 + SIGKILL) ++ledger_->violations;
        start(victim);
    }
    ledger_->over = true;
    for (auto& child : children) EXPECT_EQ(child->join(), 0);
    EXPECT_EQ(ledger_->violations, 0u);
    EXPECT_GT(ledger_->taken, 600u);
    EXPECT_EQ(open()->take(layout_of(kGroups), some(kGroups)).groups.count(), kGroups);
}

// Exclusive takers, sharers, a scope and percentages, all at once; nobody is killed, so that each
// can count.
TEST_F(StateGroupsStorm, ExclusiveAndSharedNeverMeet) {
    Shared<std::atomic<unsigned>> percentages;
    const auto body = [&](unsigned self) {
        std::mt19937 random(self);
        const auto groups = open();
        for (int i = 0; i < 1000; ++i) {
            Ask ask = some(1 + random() % 6, random() % 2 == 0);
            const bool marks = random() % 8 == 0;
            if (marks) ask = percentage();
            const Taken taken = groups->take(layout_of(kGroups), ask);
            if (taken.outcome != Taken::Outcome::kTaken) continue;
            ++ledger_->taken;
            // First all say what they have, then they look what the others have.
            if (marks) ++*percentages;
            if (ask.exclusive) write_down(self, taken.groups);
            for (unsigned k = 0; k < kGroups; ++k) {
                if (!ask.exclusive && taken.groups[k]) ++ledger_->users[k];
            }
            sched_yield();
            if (ask.exclusive) ledger_->violations += *percentages;
            for (unsigned k = 0; k < kGroups; ++k) {
                if (marks) ledger_->violations += ledger_->owner[k] != 0;
                if (!taken.groups[k]) continue;
                ledger_->violations +=
                    ask.exclusive ? ledger_->users[k] != 0 : ledger_->owner[k] != 0;
            }
            if (marks) --*percentages;
            if (ask.exclusive) strike_out(self, taken.groups);
            for (unsigned k = 0; k < kGroups; ++k) {
                if (!ask.exclusive && taken.groups[k]) --ledger_->users[k];
            }
            groups->release();
        }
        return 0;
    };
    std::vector<std::unique_ptr<Child>> children;
    for (unsigned i = 0; i < kProcesses; ++i) {
        children.push_back(std::make_unique<Child>([&, i](const Child::Side&) { return body(i); }));
    }
    for (auto& child : children) EXPECT_EQ(child->join(), 0);
    EXPECT_EQ(ledger_->violations, 0u);
    EXPECT_GT(ledger_->taken, 100u);
}

// Members come and go by SIGKILL; while one lives, all have the same groups.
TEST_F(StateGroupsStorm, AScopeStaysWhereItIs) {
    const Ask ask = some(5, true, "cgroup:/job7");
    Shared<std::atomic<unsigned long>> first;
    const auto member = [&] {
        auto child = std::make_unique<Child>([&](const Child::Side& side) {
            const auto groups = open();
            const Taken taken = groups->take(layout_of(kGroups), ask);
            if (taken.outcome != Taken::Outcome::kTaken) return 1;
            unsigned long none = 0;
            const unsigned long mine = taken.groups.to_ulong();
            if (!first->compare_exchange_strong(none, mine) && none != mine) return 2;
            side.ready();
            side.wait();
            return 0;
        });
        EXPECT_TRUE(child->await_ready());
        return child;
    };
    std::vector<std::unique_ptr<Child>> members;
    for (int i = 0; i < 4; ++i) members.push_back(member());
    for (std::size_t i = 0; i < 400; ++i) {
        members[i % 4]->kill(SIGKILL);
        members[i % 4]->join();
        members[i % 4] = member();
    }
    Ask rest = some(kGroups - 5);
    EXPECT_EQ(open()->take(layout_of(kGroups), rest).outcome, Taken::Outcome::kTaken);
    rest.count = kGroups - 4;
    EXPECT_EQ(open()->take(layout_of(kGroups), rest).outcome, Taken::Outcome::kBusy);
}

TEST_F(StateGroupsStorm, FourHundredHolders) {
    constexpr unsigned kMembers = 400;
    std::vector<std::unique_ptr<Child>> children;
    for (unsigned i = 0; i < kMembers; ++i) {
        children.push_back(std::make_unique<Child>([&, i](const Child::Side& side) {
            const auto groups = open();
            const Taken taken = groups->take(
                layout_of(kGroups), some(2, i % 2 == 0, "slot:1:" + std::to_string(i % 8)));
            if (taken.outcome != Taken::Outcome::kTaken) return 1;
            side.ready();
            side.wait();
            return 0;
        }));
    }
    for (auto& child : children) ASSERT_TRUE(child->await_ready());
    std::string why;
    EXPECT_EQ(holders(place_, kGpu, why).size(), kMembers);
    // Four scopes have two groups each exclusively, and four have two each that others may use too.
    const Taken busy = open()->take(layout_of(kGroups), some(kGroups - 15));
    EXPECT_EQ(busy.outcome, Taken::Outcome::kBusy);
    EXPECT_NE(busy.why.find(" held by pid "), std::string::npos) << busy.why;
    EXPECT_NE(busy.why.find(" and others"), std::string::npos) << busy.why;
    EXPECT_EQ(open()->take(layout_of(kGroups), some(kGroups - 16)).groups.count(), kGroups - 16);
    EXPECT_EQ(open()->take(layout_of(kGroups), some(kGroups - 8, false)).groups.count(),
              kGroups - 8);
    for (auto& child : children) child->kill(SIGKILL);
    for (auto& child : children) child->join();
    EXPECT_EQ(open()->take(layout_of(kGroups), some(kGroups)).groups.count(), kGroups);
}

// Other threads of the program fork and close all that they don't know, all the time.
TEST_F(StateGroupsStorm, ThreadsThatForkAndClose) {
    const auto groups = open();
    std::atomic<bool> done{false};
    std::thread forker([&] {
        while (!done) {
            const pid_t child = fork();
            if (child == 0) {
                std::string why;
                const bool nothing = groups->standing(why) == Groups::Standing::kNothing;
                closefrom(3);
                _exit(nothing ? 0 : 1);
            }
            int status = 0;
            waitpid(child, &status, 0);
            EXPECT_EQ(status, 0);
        }
    });
    std::thread closer([&] {
        while (!done) {
            close(::open(file().c_str(), O_RDONLY));
            sched_yield();
        }
    });
    for (int i = 0; i < 2000; ++i) {
        const Taken taken = groups->take(layout_of(kGroups), some(3));
        if (taken.outcome == Taken::Outcome::kTaken) {
            std::string why;
            const auto standing = groups->standing(why);
            EXPECT_TRUE(standing == Groups::Standing::kHeld ||
                        standing == Groups::Standing::kRetaken || why.find("lost") != why.npos)
                << why;
        } else {
            EXPECT_NE(taken.why.find("lost"), std::string::npos) << taken.why;
        }
        groups->release();
    }
    done = true;
    forker.join();
    closer.join();
}

struct UnitLedger {
    std::atomic<unsigned> held{0};
    std::atomic<unsigned> violations{0};
};

TEST_F(StateGroupsStorm, QuotaIsNeverExceeded) {
    Shared<UnitLedger> ledger;
    const auto body = [&](unsigned self) {
        std::mt19937 random(self);
        std::string why;
        const auto units = QuotaUnits::open(place_, kGpu, "user:1", kUnits, why);
        if (!units) return 1;
        for (int i = 0; i < 500; ++i) {
            // Often more than is free in one piece, so that it has to gather.
            const unsigned least = 1 + random() % 60;
            const unsigned count = units->take(least, least + random() % 10, why);
            if (!why.empty()) return 2;
            if (units->usage().own != count) return 3;
            if (ledger->held.fetch_add(count) + count > kUnits) ++ledger->violations;
            sched_yield();
            ledger->held -= count;
            units->give_back(count);
        }
        return 0;
    };
    std::vector<std::unique_ptr<Child>> children;
    for (unsigned i = 0; i < kProcesses; ++i) {
        children.push_back(std::make_unique<Child>([&, i](const Child::Side&) { return body(i); }));
    }
    for (auto& child : children) EXPECT_EQ(child->join(), 0);
    EXPECT_EQ(ledger->violations, 0u);
}

TEST_F(StateGroupsStorm, UnitsOfKilledProcessesAreFree) {
    for (int round = 0; round < 200; ++round) {
        Child child([&](const Child::Side& side) {
            std::mt19937 random(static_cast<unsigned>(round));
            std::string why;
            const auto units = QuotaUnits::open(place_, kGpu, "user:1", kUnits, why);
            side.ready();
            while (units) {
                units->take(1, 1 + random() % kUnits, why);
                units->give_back(random() % kUnits);
            }
            return 1;
        });
        ASSERT_TRUE(child.await_ready());
        child.kill(SIGKILL);
        child.join();
    }
    std::string why;
    const auto units = QuotaUnits::open(place_, kGpu, "user:1", kUnits, why);
    EXPECT_EQ(units->take(kUnits, kUnits, why), kUnits);
}

}  // namespace
}  // namespace ration::state
