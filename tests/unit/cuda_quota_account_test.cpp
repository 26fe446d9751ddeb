#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "shim/cuda/quota/account.h"
#include "shim/cuda/quota/hoard.h"

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

TEST(Account, TakesUpToItsLimitAndNoMore) {
    Account account(10 * kMiB);
    EXPECT_TRUE(account.take(6 * kMiB));
    EXPECT_FALSE(account.take(4 * kMiB + 1));
    EXPECT_TRUE(account.take(4 * kMiB)) << "exactly full";
    EXPECT_FALSE(account.take(1));
    EXPECT_EQ(account.left(), 0U);
    EXPECT_EQ(account.used(), 10 * kMiB);
    account.give(6 * kMiB);
    EXPECT_EQ(account.left(), 6 * kMiB);
}

TEST(Account, IsNotFooledByAbsurdSizes) {
    Account account(10 * kMiB);
    EXPECT_FALSE(account.take(UINT64_MAX));
    EXPECT_FALSE(account.take(UINT64_MAX - kMiB));
    EXPECT_FALSE(account.take(1ULL << 63U));
    EXPECT_EQ(account.left(), 10 * kMiB);
    Account endless(UINT64_MAX);
    EXPECT_FALSE(endless.take(UINT64_MAX));
    EXPECT_TRUE(endless.take(INT64_MAX));
}

TEST(Account, MakesUpForWhatWasOverdrawnFirst) {
    Account account(10 * kMiB);
    account.overdraw(12 * kMiB);
    EXPECT_EQ(account.left(), 0U);
    EXPECT_EQ(account.used(), 12 * kMiB);
    account.give(2 * kMiB);
    EXPECT_FALSE(account.take(1));
    account.give(kMiB);
    EXPECT_TRUE(account.take(kMiB));
}

// Units of 2 MiB that some processes share.
class Shared : public Supply {
  public:
    explicit Shared(std::uint64_t& left) : left_(left) {}
    std::uint64_t take(std::uint64_t least, std::uint64_t wanted) override {
        const auto whole = [this](std::uint64_t bytes) {
            return (bytes + unit() - 1) / unit() * unit();
        };
        if (whole(least) > left_) return 0;
        const std::uint64_t taken = std::min(whole(wanted), left_);
        left_ -= taken;
        return taken;
    }
    void give(std::uint64_t bytes) override {
        EXPECT_EQ(bytes % unit(), 0U);
        left_ += bytes;
    }
    std::uint64_t left() override { return left_; }
    std::uint64_t unit() const override { return 2 * kMiB; }

  private:
    std::uint64_t& left_;
};

TEST(SharedAccount, TakesItsSupplyInBatches) {
    std::uint64_t left = 1024 * kMiB;
    Account account(left, std::make_unique<Shared>(left));
    EXPECT_EQ(account.used(), 0U);
    EXPECT_EQ(account.left(), 1024 * kMiB);
    EXPECT_TRUE(account.take(kMiB));
    const std::uint64_t after_one = left;
    EXPECT_LT(after_one, 1024 * kMiB - 2 * kMiB) << "more than it needs at once";
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(account.take(kMiB));
    EXPECT_EQ(left, after_one) << "from what it has";
    EXPECT_EQ(account.used(), 9 * kMiB);
    EXPECT_EQ(account.left(), 1015 * kMiB);
}

TEST(SharedAccount, GivesBackWhatItDoesNotUse) {
    std::uint64_t left = 1024 * kMiB;
    Account account(left, std::make_unique<Shared>(left));
    EXPECT_TRUE(account.take(600 * kMiB));
    EXPECT_LE(left, 424 * kMiB);
    account.give(600 * kMiB);
    EXPECT_GE(left, (1024 - 16) * kMiB) << "but a batch, a 64th";
    EXPECT_LT(left, 1024 * kMiB);
    EXPECT_EQ(account.left(), 1024 * kMiB);
}

TEST(SharedAccount, GetsTheLastUnit) {
    std::uint64_t left = 64 * kMiB;
    Account one(64 * kMiB, std::make_unique<Shared>(left));
    Account other(64 * kMiB, std::make_unique<Shared>(left));
    EXPECT_TRUE(one.take(40 * kMiB));
    EXPECT_FALSE(other.take(24 * kMiB)) << "one holds a batch that it does not use";
    EXPECT_TRUE(other.take(22 * kMiB));
    EXPECT_FALSE(other.take(UINT64_MAX));
    EXPECT_FALSE(other.take(1 * kMiB));
    one.give(40 * kMiB);
    EXPECT_TRUE(other.take(38 * kMiB));
}

TEST(SharedAccount, PaysItsDebtFromTheSupply) {
    std::uint64_t left = 64 * kMiB;
    Account account(64 * kMiB, std::make_unique<Shared>(left));
    account.overdraw(10 * kMiB);
    EXPECT_EQ(account.used(), 10 * kMiB);
    EXPECT_TRUE(account.take(kMiB));
    EXPECT_LE(left, 53 * kMiB);
    EXPECT_EQ(account.used(), 11 * kMiB);
}

TEST(SharedAccount, IsExactAmongThreads) {
    std::uint64_t left = 256 * kMiB;
    Account account(left, std::make_unique<Shared>(left));
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint64_t round = 0; round < 1000; ++round) {
                const std::uint64_t bytes = (1 + (round * 7 + t) % 90) * kMiB;
                if (account.take(bytes)) account.give(bytes);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(account.used(), 0U);
    EXPECT_EQ(account.left(), 256 * kMiB);
    EXPECT_TRUE(account.take(256 * kMiB)) << "all of it can be had";
    EXPECT_EQ(left, 0U);
}

TEST(Hoard, ChargesAsTheDriverReserves) {
    Account account(256 * kMiB);
    Hoard hoard;
    EXPECT_TRUE(hoard.take(account, kMiB));
    EXPECT_EQ(account.used(), 32 * kMiB);
    EXPECT_TRUE(hoard.take(account, 31 * kMiB));
    EXPECT_EQ(account.used(), 32 * kMiB);
    EXPECT_TRUE(hoard.take(account, kMiB));
    EXPECT_EQ(account.used(), 64 * kMiB);
    hoard.settle(account, 0);
    EXPECT_EQ(account.used(), 33 * kMiB);
}

TEST(Hoard, GivesBackOnlyWhatTheDriverGaveUp) {
    Account account(256 * kMiB);
    Hoard hoard;
    ASSERT_TRUE(hoard.take(account, 100 * kMiB));
    hoard.give(90 * kMiB);
    EXPECT_EQ(account.used(), 128 * kMiB) << "freed memory stays in the pool";
    hoard.settle(account, 128 * kMiB);
    EXPECT_EQ(account.used(), 128 * kMiB);
    hoard.settle(account, 32 * kMiB);
    EXPECT_EQ(account.used(), 32 * kMiB);
    hoard.settle(account, 0);
    EXPECT_EQ(account.used(), 10 * kMiB) << "what is in use is, whatever the driver says";
    hoard.settle(account, 64 * kMiB);
    EXPECT_EQ(account.used(), 64 * kMiB);
}

TEST(Hoard, UsesTheLastOfAnAccount) {
    Account account(40 * kMiB);
    Hoard hoard;
    ASSERT_TRUE(hoard.take(account, 30 * kMiB));
    EXPECT_TRUE(hoard.take(account, 10 * kMiB)) << "2 MiB spare and 8 MiB left";
    EXPECT_FALSE(hoard.take(account, 1));
    EXPECT_FALSE(hoard.take(account, UINT64_MAX));
    hoard.settle(account, 0);
    EXPECT_EQ(account.used(), 40 * kMiB);
}

TEST(Hoard, IsExactAmongThreads) {
    Account account(256 * kMiB);
    Hoard hoard;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint64_t round = 0; round < 500; ++round) {
                const std::uint64_t bytes = (1 + (round * 7 + t) % 90) * kMiB;
                if (hoard.take(account, bytes)) hoard.give(bytes);
                if (t == 0 && round % 16 == 0) hoard.settle(account, 0);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    hoard.settle(account, 0);
    EXPECT_EQ(hoard.charged(), 0U);
    EXPECT_EQ(account.used(), 0U);
    EXPECT_EQ(account.left(), 256 * kMiB);
}

}  // namespace
}  // namespace ration::cuda::quota
