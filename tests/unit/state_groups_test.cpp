// Who gets which groups of a device, and who is refused.
#include <gmock/gmock.h>

#include "tests/unit/state_groups_support.h"

namespace ration::state {
namespace {

using Outcome = Taken::Outcome;
using testing::HasSubstr;
using testing::Not;

// "0-3" or the reason in brackets.
std::string outcome(const Taken& taken) {
    switch (taken.outcome) {
        case Outcome::kTaken:
            return to_text(taken.groups) + (taken.joined ? " joined" : "");
        case Outcome::kMoment:
            return "[moment] " + taken.why;
        case Outcome::kBusy:
            return "[busy] " + taken.why;
        case Outcome::kRefused:
            return "[refused] " + taken.why;
        case Outcome::kUnusable:
            break;
    }
    return "[unusable] " + taken.why;
}

class StateGroups : public GroupsTest {
  protected:
    // What this process would get; it gives it back.
    std::string would_get(const Ask& ask, const Layout& layout = layout_of(16)) {
        const auto groups = open();
        return outcome(groups->take(layout, ask));
    }
};

TEST_F(StateGroups, ExclusiveGroupsAreOfOneProcess) {
    const auto first = other(some(4));
    EXPECT_EQ(first->groups(), "0-3");
    EXPECT_EQ(would_get(some(4)), "4-7");
    const auto second = other(some(8));
    EXPECT_EQ(second->groups(), "4-11");
    EXPECT_EQ(would_get(some(4)), "12-15");
    const std::string refused = would_get(some(5));
    EXPECT_THAT(refused, HasSubstr("[busy] groups wanted: 5; free: 12-15; "));
    EXPECT_THAT(refused,
                HasSubstr("groups 0-3 held by pid " + std::to_string(first->child.pid()) + " ("));
    EXPECT_THAT(refused, HasSubstr("uid " + std::to_string(geteuid()) + ")"));
    first->end();
    EXPECT_EQ(would_get(some(5)), "0-3,12") << "two runs of four: the first, then what lacks";
    EXPECT_EQ(would_get(some(2)), "0-1");
}

TEST_F(StateGroups, NamedGroupsOrNone) {
    const auto holder = other(some(4));
    EXPECT_EQ(would_get(named({4, 9, 15})), "4,9,15");
    EXPECT_THAT(would_get(named({3, 4})),
                HasSubstr("[busy] groups wanted: 3-4; free: 4-15; groups 0-3"));
}

TEST_F(StateGroups, WhatDoesNotExistIsRefused) {
    EXPECT_EQ(would_get(named({15, 16})),
              "[refused] group 16 does not exist: this GPU has groups 0-15");
    EXPECT_EQ(would_get(some(17)), "[refused] 17 groups are asked for: this GPU has groups 0-15");
    EXPECT_THAT(would_get(some(0)), HasSubstr("[refused] no group is asked for"));
    EXPECT_THAT(would_get(some(1), layout_of(0)), HasSubstr("cannot be split"));
    EXPECT_THAT(would_get(some(1), layout_of(kMostGroups + 1)), HasSubstr("cannot be split"));
}

TEST_F(StateGroups, WhatAKilledProcessHeldIsFree) {
    const auto holder = other(some(16));
    EXPECT_THAT(would_get(some(1)), HasSubstr("[busy]"));
    holder->kill();
    EXPECT_EQ(would_get(some(16)), "0-15");
}

TEST_F(StateGroups, WhatIsGivenBackIsFree) {
    const auto groups = open();
    EXPECT_EQ(outcome(groups->take(layout_of(16), some(16))), "0-15");
    EXPECT_EQ(outcome(groups->take(layout_of(16), some(4))), "0-15") << "it holds that already";
    groups->release();
    EXPECT_EQ(other(some(16))->groups(), "0-15");
    EXPECT_EQ(outcome(groups->take(layout_of(16), some(4))), "0-3");
}

TEST_F(StateGroups, SharedGroupsSpreadAndAvoidExclusiveOnes) {
    const auto exclusive = other(some(4));
    const auto one = other(some(6, false));
    const auto two = other(some(6, false));
    EXPECT_EQ(one->groups(), "4-9");
    EXPECT_EQ(two->groups(), "10-15");
    const auto three = other(some(3, false));
    EXPECT_EQ(three->groups(), "4-6");
    EXPECT_EQ(would_get(some(9, false)), "7-15") << "the least used";
    EXPECT_THAT(would_get(some(13, false)), HasSubstr("groups 0-3 held by pid"));
    EXPECT_THAT(would_get(some(13, false)), Not(HasSubstr("used by")));
    EXPECT_EQ(would_get(named({5}, false)), "5");
    EXPECT_THAT(would_get(some(1)), HasSubstr("free: none; "));
    EXPECT_THAT(would_get(named({5})), HasSubstr("groups 4-9 used by pid"));
}

TEST_F(StateGroups, NothingIsExclusiveBesideAPercentage) {
    const auto holder = other(percentage());
    EXPECT_THAT(would_get(some(1)), HasSubstr("has a percentage of this GPU through MPS"));
    EXPECT_THAT(would_get(whole(true)), HasSubstr("has a percentage of this GPU through MPS"));
    EXPECT_EQ(would_get(some(4, false)), "0-3");
    EXPECT_EQ(would_get(percentage()), "none");
    holder->end();
    EXPECT_EQ(would_get(some(1)), "0");
}

TEST_F(StateGroups, NoPercentageBesideExclusiveGroups) {
    const auto holder = other(some(2));
    EXPECT_THAT(would_get(percentage()), HasSubstr("[busy] groups 0-1 held by pid"));
    EXPECT_THAT(would_get(whole(false)), HasSubstr("[busy] groups 0-1 held by pid"));
    holder->end();
    EXPECT_EQ(would_get(percentage()), "none");
}

TEST_F(StateGroups, TheWholeDevice) {
    auto holder = other(whole(false));
    EXPECT_THAT(would_get(some(1)), HasSubstr("has all of this GPU"));
    EXPECT_EQ(would_get(whole(false)), "0-255");
    EXPECT_EQ(would_get(some(4, false)), "0-3");
    holder->end();
    holder = other(whole(true));
    EXPECT_THAT(would_get(some(1)), HasSubstr("all groups held by pid"));
    EXPECT_THAT(would_get(some(1, false)), HasSubstr("all groups held by pid"));
    EXPECT_THAT(would_get(whole(false)), HasSubstr("all groups held by pid"));
    holder->end();
    holder = other(some(1, false));
    EXPECT_THAT(would_get(whole(true)), HasSubstr("[busy] groups wanted: all; "));
}

TEST_F(StateGroups, AScopeSharesOneGrant) {
    const Ask ask = some(4, true, "user:1000");
    const auto one = other(ask);
    const auto two = other(ask);
    EXPECT_EQ(two->groups(), one->groups());
    EXPECT_EQ(would_get(ask), "0-3 joined");
    EXPECT_EQ(would_get(some(4, true, "user:1001")), "4-7");
    EXPECT_EQ(would_get(some(4)), "4-7");
    EXPECT_THAT(would_get(named({3})), HasSubstr("[busy]"));
    EXPECT_THAT(would_get(some(13, false)), HasSubstr("[busy]")) << "nor as shared ones";
    one->kill();
    EXPECT_EQ(would_get(ask), "0-3 joined") << "it lives while a member does";
    two->kill();
    EXPECT_EQ(would_get(some(16)), "0-15");
}

TEST_F(StateGroups, AScopeNeedNotBeExclusive) {
    const Ask ask = some(4, false, "slot:1000:pool.paper[2]");
    const auto busy = other(some(6, false));
    const auto one = other(ask);
    EXPECT_EQ(one->groups(), "6-9");
    EXPECT_EQ(would_get(ask), "6-9 joined");
    EXPECT_EQ(would_get(some(8, false)), "8-15") << "shared ones, when nothing else is left";
}

TEST_F(StateGroups, AMemberMustAskForTheSame) {
    const auto one = other(some(4, true, "user:1000"));
    const std::string refused = would_get(some(5, true, "user:1000"));
    EXPECT_THAT(
        refused,
        HasSubstr("[refused] the scope user:1000 has groups 0-3, exclusively, through pid " +
                  std::to_string(one->child.pid())));
    EXPECT_THAT(would_get(some(4, false, "user:1000")), HasSubstr("[refused]"));
    Ask others = named({4, 5, 6, 7});
    others.scope = "user:1000";
    EXPECT_THAT(would_get(others), HasSubstr("[refused]"));
    others.named >>= 4;
    EXPECT_EQ(would_get(others), "0-3 joined");
}

TEST_F(StateGroups, LiveProcessesNumberTheGroupsAlike) {
    const auto holder = other(some(4));
    const std::string pid = "pid " + std::to_string(holder->child.pid());
    EXPECT_THAT(
        would_get(some(4), layout_of(16, "550.54.15")),
        testing::AllOf(HasSubstr("[refused] " + pid), HasSubstr("another driver than 550.54.15")));
    EXPECT_THAT(would_get(some(4), layout_of(15)),
                testing::AllOf(HasSubstr("[refused] " + pid), HasSubstr("split otherwise")));
    Layout flags = layout_of(16);
    flags.split_flags = 1;
    EXPECT_THAT(would_get(some(4, false), flags), HasSubstr("split otherwise"));
    EXPECT_THAT(would_get(percentage()), Not(HasSubstr("[refused]")));
    holder->end();
    EXPECT_EQ(would_get(some(4), layout_of(15, "550.54.15")), "0-3");
}

TEST_F(StateGroups, DevicesDoNotDisturbEachOther) {
    const auto holder = other(some(16));
    const auto groups = open("GPU-22222222-2222-3333-4444-555555555555");
    EXPECT_EQ(outcome(groups->take(layout_of(16), some(16))), "0-15");
}

// A process that is in the middle of taking, as if a debugger had stopped it there.
class Stuck {
  public:
    explicit Stuck(const std::string& file)
        : child_([&](const Child::Side& side) {
              const Descriptor fd(::open(file.c_str(), O_CREAT | O_RDWR, 0666));
              if (!lock(fd.get(), {0, 1}, F_WRLCK)) return 1;
              side.ready();
              side.wait();
              return 0;
          }) {
        EXPECT_TRUE(child_.await_ready());
    }
    pid_t pid() const { return child_.pid(); }
    void kill() {
        child_.kill(SIGKILL);
        child_.join();
    }

  private:
    Child child_;
};

TEST_F(StateGroups, NamesAProcessThatIsStuckInTheMiddle) {
    Stuck stuck(file());
    const auto groups = open();
    const Taken at_once = groups->attempt(layout_of(16), some(2));
    EXPECT_EQ(at_once.outcome, Outcome::kMoment);
    EXPECT_THAT(at_once.why, testing::StartsWith(file() + " is being changed by pid " +
                                                 std::to_string(stuck.pid())));
    EXPECT_THAT(
        outcome(groups->take(layout_of(16), some(2), std::chrono::milliseconds(20))),
        testing::AllOf(HasSubstr("[unusable] " + at_once.why), HasSubstr("is it stopped?")));
    stuck.kill();
    EXPECT_EQ(outcome(groups->take(layout_of(16), some(2))), "0-1");
}

TEST_F(StateGroups, ListsWhoHoldsWhat) {
    const auto one = other(some(4, true, "user:1000"));
    const auto two = other(named({5, 9}, false));
    std::string why;
    auto all = holders(place_, kGpu, why);
    ASSERT_EQ(all.size(), 2u) << why;
    std::map<pid_t, std::string> texts;
    for (const Holder& holder : all) texts[holder.pid] = to_text(holder);
    const auto text = [&](const Other& process) { return texts[process.child.pid()]; };
    EXPECT_THAT(text(*one),
                HasSubstr("groups 0-3 held by pid " + std::to_string(one->child.pid()) + " ("));
    EXPECT_THAT(text(*two), HasSubstr("groups 5,9 used by pid"));
    EXPECT_TRUE(holders(place_, "GPU-0", why).empty());
    EXPECT_EQ(why, "") << "no file, nobody";
}

TEST_F(StateGroups, ListsWhoseGroupsAreNotKnown) {
    const auto one = other(whole(false));
    const auto two = other(percentage());
    std::string why;
    std::string text;
    for (const Holder& holder : holders(place_, kGpu, why)) text += to_text(holder) + "\n";
    EXPECT_THAT(text, HasSubstr("all groups used by pid " + std::to_string(one->child.pid())));
    EXPECT_THAT(text, HasSubstr("a percentage through MPS used by pid " +
                                std::to_string(two->child.pid())));
}

TEST_F(StateGroups, ListingDropsNoLock) {
    const auto groups = open();
    EXPECT_EQ(outcome(groups->take(layout_of(16), some(16))), "0-15");
    std::string why;
    EXPECT_TRUE(holders(place_, kGpu, why).empty());
    EXPECT_EQ(Child::run([&] {
                  return open()->take(layout_of(16), some(1)).outcome == Outcome::kBusy ? 0 : 1;
              }),
              0);
}

}  // namespace
}  // namespace ration::state
