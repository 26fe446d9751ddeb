// Which of the free groups are taken.
#include <gtest/gtest.h>

#include "shim/state/group_set.h"

namespace ration::state {
namespace {

GroupSet set(std::initializer_list<unsigned> groups) {
    GroupSet result;
    for (const unsigned group : groups) result[group] = true;
    return result;
}
GroupSet range(unsigned begin, unsigned end) {
    GroupSet result;
    for (unsigned group = begin; group < end; ++group) result[group] = true;
    return result;
}
std::string fit(const GroupSet& allowed, unsigned count, unsigned unit = 1) {
    const auto chosen = best_fit(allowed, count, unit);
    return chosen ? to_text(*chosen) : "nothing";
}

TEST(StateGroupSet, Text) {
    EXPECT_EQ(to_text(GroupSet()), "none");
    EXPECT_EQ(to_text(set({3})), "3");
    EXPECT_EQ(to_text(set({0, 1, 2, 7, 9, 10, 255})), "0-2,7,9-10,255");
}

TEST(StateGroupSet, TakesTheShortestRunWithRoom) {
    const GroupSet free = range(0, 6) | range(8, 11) | range(12, 16);
    EXPECT_EQ(fit(free, 3), "8-10");
    EXPECT_EQ(fit(free, 2), "8-9");
    EXPECT_EQ(fit(free, 4), "12-15");
    EXPECT_EQ(fit(free, 5), "0-4");
}

TEST(StateGroupSet, TheFirstOfEqualRuns) { EXPECT_EQ(fit(range(4, 6) | range(8, 10), 1), "4"); }

TEST(StateGroupSet, ScattersFromTheShortestRunsWhenItMust) {
    EXPECT_EQ(fit(range(0, 4) | set({6}) | range(8, 10), 5), "0-1,6,8-9");
    EXPECT_EQ(fit(set({1, 3, 5}), 3), "1,3,5");
}

TEST(StateGroupSet, TakesAllOrNothing) {
    EXPECT_EQ(fit(range(250, 256), 6), "250-255");
    EXPECT_EQ(fit(range(250, 256), 7), "nothing");
    EXPECT_EQ(fit(range(0, 4), 0), "nothing");
    EXPECT_EQ(fit(GroupSet(), 1), "nothing");
    EXPECT_EQ(fit(~GroupSet(), 256), "0-255");
}

TEST(StateGroupSet, BeginsWhereTheHardwareSchedulesTogether) {
    EXPECT_EQ(fit(range(3, 12), 4, 4), "4-7");
    EXPECT_EQ(fit(range(1, 5) | range(7, 13), 4, 4), "8-11");
    EXPECT_EQ(fit(range(1, 7), 4, 4), "1-4") << "contiguous matters more";
}

std::string least(const GroupSet& allowed, const Load& load, unsigned count) {
    const auto chosen = least_used(allowed, load, count, 1);
    return chosen ? to_text(*chosen) : "nothing";
}

TEST(StateGroupSet, SharesWhatTheFewestUse) {
    Load load{};
    EXPECT_EQ(least(range(0, 8), load, 4), "0-3");
    for (const unsigned group : {0, 1, 2, 3}) load[group] = 1;
    EXPECT_EQ(least(range(0, 8), load, 4), "4-7");
    EXPECT_EQ(least(range(0, 8), load, 6), "2-7") << "all that are free, and neighbours of theirs";
    EXPECT_EQ(least(range(0, 8) & ~set({3}), load, 6), "0-1,4-7");
    for (const unsigned group : {4, 5, 6, 7}) load[group] = 2;
    EXPECT_EQ(least(range(0, 8), load, 4), "0-3");
    EXPECT_EQ(least(range(2, 8), load, 4), "2-5");
    EXPECT_EQ(least(range(2, 4), load, 4), "nothing");
}

}  // namespace
}  // namespace ration::state
