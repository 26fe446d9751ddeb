// A quota that several accounts draw on, as the processes of a scope do.
#include <gtest/gtest.h>

#include "shim/cuda/quota/units.h"
#include "tests/unit/temporary_folder.h"

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr const char* kUuid = "GPU-11111111-2222-3333-4444-555555555555";

class UnitsTest : public testing::Test {
  protected:
    // One at a time: a process has one descriptor of the file.
    std::unique_ptr<Units> units(unsigned quota) {
        std::string why;
        auto opened =
            state::QuotaUnits::open({folder_.path(), "", ""}, kUuid, "user:1000", quota, why);
        EXPECT_NE(opened, nullptr) << why;
        return std::make_unique<Units>(std::move(opened),
                                       [this](const std::string& line) { said_ += line; });
    }

    TemporaryFolder folder_;
    std::string said_;
};

TEST_F(UnitsTest, AreRoundedUpWhereTheyAreTaken) {
    const auto supply = units(10);
    EXPECT_EQ(supply->left(), 20 * kMiB);
    EXPECT_EQ(supply->take(1, 1), 2 * kMiB);
    EXPECT_EQ(supply->take(3 * kMiB, 5 * kMiB), 6 * kMiB);
    EXPECT_EQ(supply->left(), 12 * kMiB);
    supply->give(6 * kMiB);
    EXPECT_EQ(supply->left(), 18 * kMiB);
}

TEST_F(UnitsTest, AreAllThereAreOrNone) {
    const auto supply = units(10);
    EXPECT_EQ(supply->take(18 * kMiB, 40 * kMiB), 20 * kMiB) << "as much as there is";
    EXPECT_EQ(supply->take(1, 1), 0U);
    EXPECT_EQ(supply->left(), 0U);
    supply->give(20 * kMiB);
    EXPECT_EQ(supply->take(22 * kMiB, 40 * kMiB), 0U);
    EXPECT_EQ(supply->take(UINT64_MAX, UINT64_MAX), 0U);
    EXPECT_EQ(supply->left(), 20 * kMiB);
    EXPECT_EQ(said_, "") << "a quota that is used up is no fault";
}

TEST_F(UnitsTest, ServeAnAccount) {
    Account account(20 * kMiB, units(10));
    EXPECT_TRUE(account.take(19 * kMiB));
    EXPECT_EQ(account.left(), kMiB);
    EXPECT_FALSE(account.take(2 * kMiB));
    EXPECT_TRUE(account.take(kMiB));
    account.give(20 * kMiB);
    EXPECT_EQ(account.left(), 20 * kMiB);
    EXPECT_TRUE(account.take(20 * kMiB));
}

}  // namespace
}  // namespace ration::cuda::quota
