#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "shim/cuda/quota/blocks.h"

namespace ration::cuda::quota {
namespace {

Note note(std::uint64_t units, unsigned device = 0, unsigned owner = 0) {
    Note result{};
    result.units = units;
    result.device = device;
    result.number = owner;
    return result;
}

std::uint64_t resident() {
    std::uint64_t size = 0;
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> size >> pages;
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(Blocks, TakeNoMemoryBeforeTheyAreUsed) {
    constexpr std::uint64_t kMebibyte = 1U << 20U;
    const std::uint64_t before = resident();
    Blocks blocks(std::size_t{1} << 18U);  // 48 MiB
    blocks.insert(4096, note(7));
    EXPECT_LT(resident(), before + 8 * kMebibyte);
}

TEST(Blocks, FindsWhatWasPutAndOnlyOnce) {
    Blocks blocks(4);
    EXPECT_EQ(blocks.insert(4096, note(7, 3, 2)), std::nullopt);
    EXPECT_EQ(blocks.extract(8192), std::nullopt) << "never there";
    EXPECT_EQ(blocks.extract(4096), note(7, 3, 2));
    EXPECT_EQ(blocks.extract(4096), std::nullopt) << "freed twice";
}

TEST(Blocks, FindNothingUnderAnAddressThatIsNobodys) {
    for (const std::uint64_t nobodys : {0, 1}) {
        Blocks blocks(1);
        blocks.insert(4096, note(7));
        blocks.extract(4096);
        EXPECT_EQ(blocks.extract(nobodys), std::nullopt) << "a freed address lay in its bucket";
        EXPECT_FALSE(blocks.contains(nobodys));
        EXPECT_EQ(blocks.insert(nobodys, note(8)), std::nullopt);
        EXPECT_EQ(blocks.extract(nobodys), std::nullopt);
        EXPECT_EQ(blocks.insert(4096, note(9)), std::nullopt);
        EXPECT_EQ(blocks.extract(4096), note(9));
    }
}

TEST(Blocks, ReturnsWhatAnAddressMeantBefore) {
    Blocks blocks(4);
    blocks.insert(4096, note(7));
    EXPECT_EQ(blocks.insert(4096, note(8)), note(7));
    EXPECT_EQ(blocks.extract(4096), note(8));
    EXPECT_EQ(blocks.extract(4096), std::nullopt);
}

TEST(Blocks, TellWhatIsThere) {
    Blocks blocks(2);
    for (std::uint64_t i = 1; i <= 100; ++i) blocks.insert(i * 512, note(i));
    blocks.extract(50 * 512);
    for (std::uint64_t i = 1; i <= 101; ++i) {
        EXPECT_EQ(blocks.contains(i * 512), i != 50 && i != 101) << i;
    }
}

TEST(Blocks, GrowsPastItsBuckets) {
    constexpr std::uint64_t kMany = 1000;
    Blocks blocks(2);
    for (int round = 0; round < 2; ++round) {
        for (std::uint64_t i = 1; i <= kMany; ++i) blocks.insert(i * 512, note(i));
        for (std::uint64_t i = 1; i <= kMany; ++i) {
            ASSERT_EQ(blocks.extract(i * 512), note(i)) << "round " << round << ", " << i;
        }
    }
}

TEST(Blocks, HoldsAQuotasLargestBlock) {
    Blocks blocks(1);
    constexpr std::uint64_t kBytes = 1ULL << 48U;
    blocks.insert(4096, note(kBytes / kUnit, 255, 255));
    const auto found = blocks.extract(4096);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->bytes(), kBytes);
    EXPECT_EQ(found->device, 255U);
    EXPECT_EQ(found->owner(), 255U);
}

TEST(Blocks, SweepsWhatHasEnded) {
    Blocks blocks(2);
    for (std::uint64_t i = 1; i <= 100; ++i) blocks.insert(i * 512, note(i, i % 2));
    std::uint64_t swept = 0;
    blocks.sweep([](Note one) { return one.device == 1; },
                 [&](Note one) {
                     EXPECT_EQ(one.device, 1U);
                     ++swept;
                 });
    EXPECT_EQ(swept, 50U);
    for (std::uint64_t i = 1; i <= 100; ++i) {
        EXPECT_EQ(blocks.extract(i * 512).has_value(), i % 2 == 0) << i;
    }
}

TEST(Blocks, GiveEachNoteToOneOfTheThreadsThatFreeIt) {
    constexpr unsigned kThreads = 4;
    constexpr std::uint64_t kKeys = 64;
    constexpr unsigned kRounds = 200;
    Blocks blocks(2);
    std::atomic<std::uint64_t> put{0};
    std::atomic<std::uint64_t> taken{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (unsigned round = 0; round < kRounds; ++round) {
                for (std::uint64_t key = 1 + t; key <= kKeys; key += kThreads) {
                    blocks.insert(key * 512, note(key));
                    put += key;
                }
                // Its own ones and the next thread's: both want those.
                for (std::uint64_t key = 1; key <= kKeys; ++key) {
                    if (key % kThreads != (t + 1) % kThreads &&
                        key % kThreads != (t + 2) % kThreads)
                        continue;
                    if (const auto found = blocks.extract(key * 512)) {
                        ASSERT_EQ(found->units, key);
                        taken += key;
                    }
                }
                for (std::uint64_t key = 1 + t; key <= kKeys; key += kThreads) {
                    if (const auto found = blocks.extract(key * 512)) taken += found->units;
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(put, taken) << "none lost, none found twice";
}

TEST(Blocks, SweepBesideThreadsThatAllocateAndFree) {
    constexpr unsigned kRounds = 2000;
    Blocks blocks(1);
    std::atomic<bool> done{false};
    std::atomic<unsigned> lost{0};
    std::thread sweeper([&] {
        while (!done) {
            blocks.sweep([](Note one) { return one.owner() == 9; }, [&](Note) { ++lost; });
        }
    });
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            for (unsigned round = 0; round < kRounds; ++round) {
                for (std::uint64_t key = 1; key <= 12; ++key) {
                    blocks.insert((key * 2 + t) * 512, note(key));
                }
                for (std::uint64_t key = 1; key <= 12; ++key) {
                    ASSERT_EQ(blocks.extract((key * 2 + t) * 512), note(key));
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    done = true;
    sweeper.join();
    EXPECT_EQ(lost, 0U);
}

}  // namespace
}  // namespace ration::cuda::quota
