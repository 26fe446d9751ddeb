// How long whoever waits for groups sleeps, by a clock of the test's own.
#include <gtest/gtest.h>

#include "shim/state/pauses.h"

namespace ration::state {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Outcome = Taken::Outcome;

class StatePauses : public testing::Test {
  protected:
    // Sleeps until the pauses after such answers are over; returns for how long that was.
    nanoseconds all_after(Pauses& pauses, Outcome outcome) {
        const auto begin = now_;
        for (last_ = answer(outcome); const auto pause = pauses.after(last_, now_);) {
            longest_ = std::max(longest_, *pause);
            now_ += *pause;
            ++asked_;
        }
        return now_ - begin;
    }
    static Taken answer(Outcome outcome) { return {outcome, {}, false, "file is changed"}; }

    Pauses::Clock::time_point now_{1000s};
    Taken last_;
    nanoseconds longest_{0};
    unsigned asked_ = 0;
};

TEST_F(StatePauses, OthersGroupsAreWaitedForAsLongAsWasSaidAndNoLonger) {
    Pauses pauses(60s);
    EXPECT_EQ(all_after(pauses, Outcome::kBusy), 60s);
    EXPECT_EQ(last_.outcome, Outcome::kBusy);
    EXPECT_LE(longest_, 250ms);
    EXPECT_GE(asked_, 240U);
    EXPECT_LE(asked_, 520U) << "pauses grow";
}

TEST_F(StatePauses, TheWaitBeginsWithTheFirstAnswer) {
    Pauses pauses(1s);
    now_ += 3600s;
    EXPECT_EQ(all_after(pauses, Outcome::kBusy), 1s);
}

TEST_F(StatePauses, WhoDoesNotWaitDoesNotSleep) {
    Pauses pauses(0s);
    EXPECT_EQ(all_after(pauses, Outcome::kBusy), 0s);
    for (const Outcome outcome : {Outcome::kTaken, Outcome::kRefused, Outcome::kUnusable}) {
        Pauses patient(60s);
        EXPECT_EQ(all_after(patient, outcome), 0s);
        EXPECT_EQ(last_.outcome, outcome);
    }
}

TEST_F(StatePauses, AProcessInTheMiddleOfTakingIsAskedAgainSoonAndThenTakenForStuck) {
    Pauses pauses(0s, 20ms);
    EXPECT_GE(all_after(pauses, Outcome::kMoment), 20ms);
    EXPECT_LE(longest_, 1ms);
    EXPECT_EQ(last_.outcome, Outcome::kUnusable);
    EXPECT_NE(last_.why.find("file is changed, and has been for long"), std::string::npos);
}

TEST_F(StatePauses, EachTransactionHasItsOwnTime) {
    Pauses pauses(60s, 20ms);
    Taken moment = answer(Outcome::kMoment);
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(pauses.after(moment, now_).has_value());
        Taken busy = answer(Outcome::kBusy);
        EXPECT_TRUE(pauses.after(busy, now_).has_value());
        now_ += 15ms;
    }
}

}  // namespace
}  // namespace ration::state
