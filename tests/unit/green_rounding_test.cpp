// From a share, a count or numbers to groups, on a device of 15 groups of 8 SMs and 12 in none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shim/cuda/green/rounding.h"
#include "tests/unit/green_driver.h"

namespace ration::cuda::green {
namespace {

using policy::SmGranularity;
using testing::ElementsAre;
using testing::HasSubstr;

Layout layout(SmGranularity granularity = SmGranularity::kGroup) {
    return std::get<Layout>(read_layout(fake_green_calls(), 0, "GPU-1", granularity));
}

Wish share(double percent) {
    Wish wish;
    wish.share = percent;
    return wish;
}
Wish sms(unsigned count) {
    Wish wish;
    wish.sm = count;
    return wish;
}
Wish groups(std::vector<unsigned> numbers) {
    Wish wish;
    wish.groups = std::move(numbers);
    return wish;
}

Need rounded(const Wish& wish, SmGranularity granularity = SmGranularity::kGroup) {
    const auto need = round_to_groups(wish, layout(granularity));
    EXPECT_EQ(refusal_of(need), nullptr) << refusal_of(need)->line;
    return std::get<Need>(need);
}
std::string refused(const Wish& wish, SmGranularity granularity = SmGranularity::kGroup) {
    const auto need = round_to_groups(wish, layout(granularity));
    EXPECT_NE(refusal_of(need), nullptr);
    return refusal_of(need) == nullptr ? "" : refusal_of(need)->line;
}

TEST(GreenRounding, NeverMoreSmsThanAsked) {
    EXPECT_EQ(rounded(share(25)).count, 4U) << "33 SMs";
    EXPECT_EQ(rounded(share(50)).count, 8U) << "66 SMs";
    EXPECT_EQ(rounded(share(100.0 / 3)).count, 5U) << "44 SMs";
    EXPECT_EQ(rounded(share(6.1)).count, 1U) << "8.05 SMs";
    EXPECT_EQ(rounded(sms(32)).count, 4U);
    EXPECT_EQ(rounded(sms(31)).count, 3U);
    EXPECT_EQ(rounded(sms(8)).count, 1U);
}

TEST(GreenRounding, APercentageOfAFullGroupIsOne) {
    EXPECT_EQ(rounded(share(100.0 * 8 / 132)).count, 1U);
    EXPECT_EQ(rounded(share(100.0 * 56 / 132)).count, 7U);
}

TEST(GreenRounding, FineGroupsHaveTwoSms) {
    EXPECT_EQ(rounded(share(25), SmGranularity::kFine).count, 16U);
    EXPECT_EQ(rounded(sms(3), SmGranularity::kFine).count, 1U);
    EXPECT_EQ(rounded(share(99), SmGranularity::kFine).count, 65U);
}

TEST(GreenRounding, TheWholeDeviceNeedsNoGreenContext) {
    EXPECT_TRUE(rounded(share(100)).whole);
    EXPECT_TRUE(rounded(sms(132)).whole);
    EXPECT_TRUE(rounded(Wish{}).whole);
    EXPECT_FALSE(rounded(share(99)).whole);
    EXPECT_FALSE(rounded(sms(131)).whole);
}

TEST(GreenRounding, TellsThatGroupsAreUsedUp) {
    const Need need = rounded(share(99));
    EXPECT_EQ(need.count, 15U);
    EXPECT_THAT(need.note, HasSubstr("15 groups, 120 SMs"));
    EXPECT_THAT(need.note, HasSubstr("12 SMs in none"));
    EXPECT_EQ(rounded(sms(32)).note, "");
}

TEST(GreenRounding, BelowOneGroupTheLineSaysWhatIsPossible) {
    EXPECT_THAT(refused(share(5)), HasSubstr("a share of 5 %"));
    EXPECT_THAT(refused(share(5)), HasSubstr("one group of 8 SMs (6.1 %)"));
    EXPECT_THAT(refused(share(5)), HasSubstr("granularity = \"fine\""));
    EXPECT_THAT(refused(sms(7)), HasSubstr("sm = 7"));
    const std::string fine = refused(share(1), SmGranularity::kFine);
    EXPECT_THAT(fine, HasSubstr("2 SMs (1.6 %)"));
    EXPECT_THAT(fine, Not(HasSubstr("granularity")));
}

TEST(GreenRounding, MoreThanThereIsIsRefused) {
    EXPECT_THAT(refused(sms(133)), HasSubstr("GPU-1 has 132 SMs: ask for 132 at most"));
}

TEST(GreenRounding, NamedGroupsAreTaken) {
    const Need need = rounded(groups({0, 1, 2, 7}));
    EXPECT_EQ(need.count, 4U);
    EXPECT_THAT(need.named, ElementsAre(0, 1, 2, 7));
    EXPECT_FALSE(need.whole);
}

TEST(GreenRounding, AllGroupsAreTheWholeOnlyIfNothingIsLeftOver) {
    std::vector<unsigned> all(66);
    for (unsigned i = 0; i < all.size(); ++i) all[i] = i;
    EXPECT_TRUE(rounded(groups(all), SmGranularity::kFine).whole);
    all.resize(15);
    EXPECT_FALSE(rounded(groups(all)).whole) << "12 SMs are in no group";
}

TEST(GreenRounding, GroupsThatAreNotThereAreRefused) {
    const std::string line = refused(groups({3, 15}));
    EXPECT_THAT(line, HasSubstr("there is no group 15"));
    EXPECT_THAT(line, HasSubstr("15 groups of 8 SMs"));
    EXPECT_THAT(line, HasSubstr("from 0 to 14"));
}

TEST(GreenRounding, GroupsAreWrittenAsRanges) {
    EXPECT_EQ(groups_text({0, 1, 2, 3}), "0-3");
    EXPECT_EQ(groups_text({0, 2, 3, 7}), "0,2-3,7");
    EXPECT_EQ(groups_text({5}), "5");
    EXPECT_EQ(groups_text({}), "");
}

TEST(GreenRounding, SmsAreThoseOfTheGroups) {
    EXPECT_EQ(sms_of(layout(), {0, 1, 5}), 24U);
    EXPECT_EQ(sms_of(layout(SmGranularity::kFine), {0, 1, 5}), 6U);
}

}  // namespace
}  // namespace ration::cuda::green
