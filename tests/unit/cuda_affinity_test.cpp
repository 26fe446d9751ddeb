#include <gtest/gtest.h>

#include "shim/cuda/affinity.h"

namespace ration::cuda {
namespace {

CUexecAffinityParam sms(unsigned count) {
    CUexecAffinityParam parameter{};
    parameter.type = CU_EXEC_AFFINITY_TYPE_SM_COUNT;
    parameter.param.smCount.val = count;
    return parameter;
}

bool kept(unsigned asked, unsigned granted) {
    const CUexecAffinityParam parameter = sms(asked);
    return within_grant(&parameter, 1, granted).size() == 1;
}

// With a grant of 32 SMs a real driver gives 8 to 20 as asked, but a context that says 132 for 31
// and 32.
TEST(WithinGrant, DropsRequestsThatReachTheGrant) {
    for (const unsigned asked : {1U, 2U, 8U, 9U, 16U, 20U, 29U, 30U}) {
        EXPECT_TRUE(kept(asked, 32)) << asked;
    }
    for (const unsigned asked : {31U, 32U, 33U, 132U, 1000U, ~0U}) {
        EXPECT_FALSE(kept(asked, 32)) << asked;
    }
}

TEST(WithinGrant, CountsTheDriversMinimum) {
    EXPECT_FALSE(kept(1, 8));
    EXPECT_TRUE(kept(1, 10));
}

TEST(WithinGrant, LeavesErrorsToTheDriver) {
    EXPECT_TRUE(kept(0, 32));
    CUexecAffinityParam other = sms(132);
    other.type = CU_EXEC_AFFINITY_TYPE_MAX;
    EXPECT_EQ(within_grant(&other, 1, 32).size(), 1U);
}

TEST(WithinGrant, KeepsTheOthersInOrder) {
    const CUexecAffinityParam parameters[] = {sms(16), sms(64), sms(8)};
    const auto result = within_grant(parameters, 3, 32);
    ASSERT_EQ(result.size(), 2U);
    EXPECT_EQ(result[0].param.smCount.val, 16U);
    EXPECT_EQ(result[1].param.smCount.val, 8U);
}

}  // namespace
}  // namespace ration::cuda
