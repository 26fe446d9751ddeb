#include <gtest/gtest.h>

#include "shim/policy/decide.h"

namespace ration::policy {
namespace {

// One H100 (132 SMs), driver 580.159.04: what the driver granted for each percentage.
TEST(Rounding, IsThatOfTheDriver) {
    const std::pair<double, unsigned> measured[] = {{1, 8},     {5, 8},    {10, 12}, {25, 32},
                                                    {33.3, 42}, {40, 52},  {50, 66}, {75, 98},
                                                    {99, 130},  {100, 132}};
    for (const auto& [percent, units] : measured) {
        EXPECT_EQ(granted_units(percent, 132, kMpsGranularity), units) << percent;
    }
}

TEST(Rounding, AThirdIsNotLostToBinaryFractions) {
    EXPECT_EQ(granted_units(100.0 / 3, 132, kMpsGranularity), 44U);
    EXPECT_EQ(granted_units(100.0 * 2 / 3, 132, kMpsGranularity), 88U);
}

TEST(Rounding, NeverExceedsTheDevice) {
    EXPECT_EQ(granted_units(1, 4, kMpsGranularity), 4U);
    EXPECT_EQ(granted_units(500, 132, kMpsGranularity), 132U);
    EXPECT_EQ(granted_units(0, 132, kMpsGranularity), 0U);
    EXPECT_EQ(granted_units(-1, 132, kMpsGranularity), 0U);
    EXPECT_EQ(granted_units(50, 0, kMpsGranularity), 0U);
    EXPECT_EQ(granted_units(50, 132, {0, 0}), 66U);
}

TEST(Rounding, APoolSaysWhatNobodyGetsAndWhatIsGrantedTwice) {
    const auto quarters = round_pool({25, 25, 25, 25}, 132, kMpsGranularity);
    EXPECT_EQ(quarters.granted, (std::vector<unsigned>{32, 32, 32, 32}));
    EXPECT_EQ(quarters.idle, 4U);
    EXPECT_EQ(quarters.excess, 0U);
    // The minimum makes twenty times 5 % more than all.
    const auto many = round_pool(std::vector<double>(20, 5), 132, kMpsGranularity);
    EXPECT_EQ(many.idle, 0U);
    EXPECT_EQ(many.excess, 20 * 8 - 132U);
    const auto elsewhere = round_pool({50, 0, 50}, 132, kMpsGranularity);
    EXPECT_EQ(elsewhere.granted, (std::vector<unsigned>{66, 0, 66}));
    EXPECT_EQ(elsewhere.idle, 0U);
    EXPECT_EQ(round_pool({}, 132, kMpsGranularity).idle, 132U);
}

}  // namespace
}  // namespace ration::policy
