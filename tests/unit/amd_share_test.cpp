#include <gmock/gmock.h>

#include <random>

#include "shim/amd/layout.h"
#include "shim/amd/share.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using policy::Distribution;
using testing::Each;
using testing::ElementsAre;

constexpr Distribution kBoth[] = {Distribution::kEven, Distribution::kEngines};

unsigned even(const Gpu& gpu, double percent) {
    return lone(gpu, Distribution::kEven, cus_of(percent, gpu)).cus;
}

std::vector<unsigned> sizes(const std::optional<Division>& division) {
    std::vector<unsigned> result;
    if (division) {
        for (const Part& part : division->parts) result.push_back(part.cus);
    }
    return result;
}

std::vector<double> percents(const Gpu& gpu, const std::vector<double>& shares) {
    std::vector<double> asks;
    for (const double share : shares) asks.push_back(cus_of(share, gpu));
    return asks;
}

std::string what(const Gpu& gpu, double asked) {
    return gpu.name + " with " + std::to_string(gpu.cus) + " CUs, asked " + std::to_string(asked);
}

TEST(Lone, IsTheNearestNumberOfRows) {
    EXPECT_EQ(even(mi210(), 25), 24U);      // 26, rows of 8
    EXPECT_EQ(even(mi210(), 30), 32U);      // 31.2
    EXPECT_EQ(even(mi210(), 50), 48U);      // 52 is half way between 48 and 56
    EXPECT_EQ(even(mi300x(), 25), 64U);     // 76, rows of 32
    EXPECT_EQ(even(mi300x_cpx(), 25), 8U);  // 9.5, rows of 4
    EXPECT_EQ(even(mi300x(), 30), 96U);     // 91.2
    EXPECT_EQ(even(navi21(), 25), 16U);     // 20 is half way between 16 and 24
}

TEST(Lone, BelowARowIsTheNearestNumberOfUnits) {
    EXPECT_EQ(even(mi210(), 3), 3U);     // 3.12
    EXPECT_EQ(even(mi300x(), 5), 16U);   // 15.2, units of 8
    EXPECT_EQ(even(mi300x(), 10), 32U);  // 30.4
    EXPECT_EQ(even(navi21(), 5), 4U);
}

TEST(Lone, OfEverythingIsEverythingThatAMaskCanName) {
    for (const Gpu& gpu : all_models()) {
        for (const Distribution distribution : kBoth) {
            const Part part = lone(gpu, distribution, gpu.cus);
            EXPECT_EQ(part.mask, whole(gpu).mask);
            EXPECT_GE(part.cus + 2 * gpu.xccs, gpu.cus) << gpu.name;
        }
    }
}

TEST(Lone, StartsAtTheFirstBitWithoutAGap) {
    const Part part = lone(mi210(), Distribution::kEven, 24);
    EXPECT_THAT(part.mask, ElementsAre(0x00FFFFFF, 0, 0, 0));
}

TEST(Lone, ByEnginesIsWholeEngines) {
    const Part part = lone(mi210(), Distribution::kEngines, cus_of(25, mi210()));
    EXPECT_THAT(by_engines(part.mask, mi210()), ElementsAre(ElementsAre(13, 13, 0, 0, 0, 0, 0, 0)));
}

TEST(Lone, ByEnginesIsTheSameEnginesOfEveryXcc) {
    const Part part = lone(mi300x(), Distribution::kEngines, cus_of(50, mi300x()));
    EXPECT_THAT(by_engines(part.mask, mi300x()), Each(ElementsAre(10, 10, 0, 0)));
}

TEST(Lone, ByEnginesBelowAnEngineIsUnitsOfTheFirst) {
    const Part part = lone(mi210(), Distribution::kEngines, 5);
    EXPECT_THAT(by_engines(part.mask, mi210()), ElementsAre(ElementsAre(5, 0, 0, 0, 0, 0, 0, 0)));
}

// What every mask must be, or a queue hangs or the kernel refuses.
void expect_usable(const Part& part, const Gpu& gpu, const std::string& context) {
    EXPECT_TRUE(every_xcc_has_cus(part.mask, gpu)) << context;
    EXPECT_TRUE(pairs_are_whole(part.mask, gpu)) << context;
    EXPECT_EQ(count_cus(part.mask, gpu), part.cus) << context;
    EXPECT_LE(part.mask.size() * 32, 1024U) << context;
}

TEST(Lone, IsUsableForEveryShareOfEveryModel) {
    for (const Gpu& gpu : all_models()) {
        for (const Distribution distribution : kBoth) {
            for (double asked = least_cus(gpu); asked <= gpu.cus; asked += 0.5) {
                expect_usable(lone(gpu, distribution, asked), gpu, what(gpu, asked));
            }
        }
    }
}

unsigned regular_cus(const Gpu& gpu) {
    const unsigned shallowest = *std::min_element(gpu.array_cus.begin(), gpu.array_cus.end());
    return (gpu.pairs ? shallowest / 2 * 2 : shallowest) * gpu.engines * gpu.arrays_per_engine;
}

// Engines differ by one unit at most where they have the same CUs, and not at all in whole rows.
TEST(Lone, EvenlyDistributedLeavesNoEngineRagged) {
    for (const Gpu& gpu : all_models()) {
        const unsigned row = least_cus(gpu) * gpu.engines_per_xcc();
        for (double asked = least_cus(gpu); asked <= gpu.cus; asked += 0.5) {
            const Part part = lone(gpu, Distribution::kEven, asked);
            if (part.cus > regular_cus(gpu)) continue;
            for (const auto& engines : by_engines(part.mask, gpu)) {
                const auto [least, most] = std::minmax_element(engines.begin(), engines.end());
                if (part.cus >= row) {
                    EXPECT_EQ(*least, *most) << what(gpu, asked);
                } else {
                    EXPECT_LE(*most, gpu.pairs ? 2U : 1U) << what(gpu, asked);
                }
            }
        }
    }
}

TEST(Lone, IsWithinHalfARowOfWhatIsAsked) {
    for (const Gpu& gpu : all_models()) {
        const unsigned row = least_cus(gpu) * gpu.engines_per_xcc();
        for (double asked = least_cus(gpu); asked <= regular_cus(gpu); asked += 0.5) {
            const double unit = asked < row ? least_cus(gpu) : row;
            EXPECT_LE(std::abs(lone(gpu, Distribution::kEven, asked).cus - asked), unit / 2)
                << what(gpu, asked);
        }
    }
}

TEST(Divide, EightEighthsOfAnMi300xLeaveAFewIdle) {
    const Gpu gpu = mi300x();
    const auto division =
        divide(gpu, Distribution::kEven, percents(gpu, std::vector(8, 12.5)), false);
    EXPECT_EQ(sizes(division), std::vector<unsigned>(8, 32));
    EXPECT_EQ(division->idle, 48U);
}

TEST(Divide, SlotsFollowEachOtherInWholeRows) {
    const auto division = divide(mi210(), Distribution::kEven, {24, 32}, false);
    EXPECT_THAT(division->parts[0].mask, ElementsAre(0x00FFFFFF, 0, 0, 0));
    EXPECT_THAT(division->parts[1].mask, ElementsAre(0xFF000000, 0x00FFFFFF, 0, 0));
}

TEST(Divide, NotAllAreRoundedUpWhereThatDoesNotFit) {
    // Each alone has 3 rows of 8 for 20.8 CUs: 15 of 13 rows.
    const auto division = divide(mi210(), Distribution::kEven, std::vector(5, 20.8), false);
    EXPECT_THAT(sizes(division), ElementsAre(24, 24, 24, 16, 16));
    EXPECT_EQ(division->idle, 0U);
}

TEST(Divide, SmallSlotsComeBehindTheWholeRows) {
    const auto division = divide(mi210(), Distribution::kEven, {3, 24, 2}, false);
    EXPECT_THAT(division->parts[0].mask, ElementsAre(0x07000000, 0, 0, 0));
    EXPECT_THAT(division->parts[1].mask, ElementsAre(0x00FFFFFF, 0, 0, 0));
    EXPECT_THAT(division->parts[2].mask, ElementsAre(0x18000000, 0, 0, 0));
}

TEST(Divide, SmallSlotsOfEnginesStayInOneEngine) {
    const auto division = divide(mi210(), Distribution::kEngines, {8, 8, 5}, false);
    EXPECT_THAT(by_engines(division->parts[0].mask, mi210())[0],
                ElementsAre(8, 0, 0, 0, 0, 0, 0, 0));
    EXPECT_THAT(by_engines(division->parts[1].mask, mi210())[0],
                ElementsAre(0, 8, 0, 0, 0, 0, 0, 0));
    EXPECT_THAT(by_engines(division->parts[2].mask, mi210())[0],
                ElementsAre(5, 0, 0, 0, 0, 0, 0, 0));
}

TEST(Divide, TheIrregularTailIsLast) {
    // 13 rows of 8, then 6 CUs.
    const auto division = divide(mi250x(), Distribution::kEven, {55, 55}, false);
    EXPECT_THAT(sizes(division), ElementsAre(56, 54));
    EXPECT_EQ(division->idle, 0U);
}

TEST(Divide, ASlotThatIsNotOnThisGpuHasNoMask) {
    const auto division = divide(mi210(), Distribution::kEven, {0, 24}, false);
    EXPECT_TRUE(division->parts[0].mask.empty());
    EXPECT_EQ(division->parts[1].mask[0], 0x00FFFFFFU);
}

TEST(Divide, MoreThanThereIsIsNothing) {
    EXPECT_FALSE(divide(mi210(), Distribution::kEven, {60, 60}, false));
}

TEST(Divide, OverlapStartsAgainAtTheFirstCu) {
    const auto division = divide(mi210(), Distribution::kEven, {56, 56, 48}, true);
    EXPECT_THAT(sizes(division), ElementsAre(56, 56, 48));
    EXPECT_EQ(division->parts[1].mask, division->parts[0].mask);
    EXPECT_TRUE(test(division->parts[2].mask, 56));
}

TEST(Divide, OverlapBeginsWithABlock) {
    const auto engines = divide(mi210(), Distribution::kEngines, {5, 26, 26, 6, 6, 6}, true);
    EXPECT_THAT(by_engines(engines->parts[0].mask, mi210())[0],
                ElementsAre(5, 0, 0, 0, 0, 0, 0, 0));
    EXPECT_THAT(by_engines(engines->parts[1].mask, mi210())[0],
                ElementsAre(0, 13, 13, 0, 0, 0, 0, 0));
    EXPECT_THAT(by_engines(engines->parts[2].mask, mi210())[0],
                ElementsAre(0, 0, 0, 13, 13, 0, 0, 0));
    EXPECT_THAT(by_engines(engines->parts[4].mask, mi210())[0], ElementsAre(0, 0, 0, 0, 0, 6, 0, 0))
        << "beside the one before";
    EXPECT_THAT(by_engines(engines->parts[5].mask, mi210())[0], ElementsAre(0, 0, 0, 0, 0, 0, 6, 0))
        << "not in two engines";
    const auto rows = divide(mi210(), Distribution::kEven, {3, 24}, true);
    EXPECT_THAT(rows->parts[1].mask, ElementsAre(0xFFFFFF00, 0, 0, 0));
}

TEST(Divide, OneSlotIsALonePartition) {
    for (const Gpu& gpu : all_models()) {
        for (const Distribution distribution : kBoth) {
            for (double asked = least_cus(gpu); asked < gpu.cus; asked += 0.5) {
                const auto division = divide(gpu, distribution, {asked}, false);
                ASSERT_TRUE(division);
                EXPECT_EQ(division->parts[0].mask, lone(gpu, distribution, asked).mask)
                    << what(gpu, asked);
            }
        }
    }
}

TEST(Divide, EqualSharesAreTheSameOrAPieceLess) {
    const auto of = [](const Gpu& gpu, Distribution distribution, std::size_t count, double ask) {
        return sizes(divide(gpu, distribution, std::vector(count, ask), false));
    };
    const Gpu mi300 = mi300x();
    // The row that lacks engines comes on top of a whole one.
    EXPECT_THAT(of(mi300, Distribution::kEven, 6, cus_of(16.6, mi300)),
                ElementsAre(64, 64, 64, 48, 32, 32));
    EXPECT_THAT(of(mi300a(), Distribution::kEven, 6, 38), ElementsAre(48, 48, 48, 36, 24, 24));
    EXPECT_THAT(of(mi210(), Distribution::kEven, 8, 13), ElementsAre(16, 16, 16, 16, 16, 8, 8, 8));
    EXPECT_THAT(of(mi210(), Distribution::kEngines, 9, 11), Each(11U));
}

TEST(Divide, SmallSlotsOfEnginesCrossEnginesOnlyWhereNoneHasRoom) {
    const auto division = divide(mi210(), Distribution::kEngines, std::vector(9, 11.0), false);
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(by_engines(division->parts[i].mask, mi210())[0][i], 11U);
    }
    EXPECT_THAT(by_engines(division->parts[8].mask, mi210())[0],
                ElementsAre(2, 2, 2, 2, 2, 1, 0, 0));
}

TEST(Divide, ARowThatRoundsUpIsNotTakenFromASmallSlot) {
    EXPECT_THAT(sizes(divide(mi210(), Distribution::kEven, {101, 3}, false)), ElementsAre(96, 3));
}

// Whole blocks of the GPU that are in the mask, and those that are in it in part.
struct Blocks {
    unsigned whole = 0;
    unsigned begun = 0;
};

Blocks blocks_in(const Mask& mask, const Gpu& gpu, Distribution distribution) {
    Blocks result;
    for (const Block& block : cut(gpu, distribution)) {
        unsigned in = 0;
        for (const Unit& unit : block.units) {
            for (const unsigned bit : unit) in += test(mask, bit) ? 1U : 0U;
        }
        if (in == block.cus()) {
            ++result.whole;
        } else if (in > 0) {
            ++result.begun;
        }
    }
    return result;
}

// Whether there is a block of full size that nobody has a part of.
bool has_idle_block(const Division& division, const Gpu& gpu, Distribution distribution) {
    Mask used = blank(gpu);
    for (const Part& part : division.parts) {
        for (std::size_t i = 0; i < part.mask.size(); ++i) used[i] |= part.mask[i];
    }
    const auto blocks = cut(gpu, distribution);
    for (const Block& block : blocks) {
        bool idle = block.cus() >= blocks.front().cus();
        for (const Unit& unit : block.units) {
            for (const unsigned bit : unit) idle = idle && !test(used, bit);
        }
        if (idle) return true;
    }
    return false;
}

// Equal asks of any size and number that fit.
TEST(Divide, EqualAsksAreNeverMoreThanAPieceApart) {
    for (const Gpu& gpu : all_models()) {
        for (const Distribution distribution : kBoth) {
            const auto blocks = cut(gpu, distribution);
            const double block = blocks.front().cus();
            std::size_t units = 0;  // fewer than CUs / least_cus() where XCCs differ
            // Units differ in size where XCCs do, or where a CU has no partner.
            std::size_t largest = 0;
            std::size_t smallest = gpu.cus;
            for (const Block& each : blocks) {
                units += each.units.size();
                for (const Unit& one : each.units) {
                    largest = std::max(largest, one.size());
                    smallest = std::min(smallest, one.size());
                }
            }
            const auto unit = static_cast<double>(2 * largest - smallest);
            for (std::size_t count = 1; count <= units; count += 1 + count / 16) {
                const double most = static_cast<double>(gpu.cus) / static_cast<double>(count);
                for (double ask = most; ask >= least_cus(gpu); ask -= most / 3) {
                    const std::string context =
                        what(gpu, ask) + " by each of " + std::to_string(count);
                    const auto got =
                        sizes(divide(gpu, distribution, std::vector(count, ask), false));
                    ASSERT_EQ(got.size(), count) << context << ": refused";
                    const auto [low, high] = std::minmax_element(got.begin(), got.end());
                    const double piece = ask < block ? unit : block;
                    EXPECT_LE(*high - *low, piece) << context;
                    EXPECT_GT(*low, 0U) << context;
                }
            }
        }
    }
}

// Asks that add up to at most the GPU.
std::vector<double> random_asks(std::mt19937& random, const Gpu& gpu) {
    std::vector<double> asks;
    double left = gpu.cus;
    const unsigned slots = 1 + random() % 10;
    for (unsigned i = 0; i < slots && left >= least_cus(gpu); ++i) {
        const double range = left - least_cus(gpu);
        const double ask = least_cus(gpu) + range * (random() % 1000) / 1000 / (1 + random() % 4);
        asks.push_back(ask);
        left -= ask;
    }
    return asks;
}

TEST(Divide, IsDisjointAndUsable) {
    std::mt19937 random(1);
    for (const Gpu& gpu : all_models()) {
        for (unsigned round = 0; round < 200; ++round) {
            const auto asks = random_asks(random, gpu);
            const Distribution distribution = kBoth[round % 2];
            const auto division = divide(gpu, distribution, asks, false);
            ASSERT_TRUE(division) << what(gpu, asks.front());
            Mask used = blank(gpu);
            unsigned sum = 0;
            for (std::size_t i = 0; i < asks.size(); ++i) {
                const Part& part = division->parts[i];
                expect_usable(part, gpu, what(gpu, asks[i]));
                for (std::size_t word = 0; word < used.size(); ++word) {
                    EXPECT_EQ(used[word] & part.mask[word], 0U) << what(gpu, asks[i]);
                    used[word] |= part.mask[word];
                }
                sum += part.cus;
            }
            EXPECT_EQ(sum + division->idle, whole(gpu).cus) << what(gpu, asks.front());
        }
    }
}

TEST(Divide, GivesWholePiecesAndLeavesNoneIdleThatIsLacking) {
    std::mt19937 random(2);
    for (const Gpu& gpu : all_models()) {
        for (unsigned round = 0; round < 60; ++round) {
            const auto asks = random_asks(random, gpu);
            const Distribution distribution = kBoth[round % 2];
            const auto division = divide(gpu, distribution, asks, false);
            ASSERT_TRUE(division) << what(gpu, asks.front());
            const double block = cut(gpu, distribution).front().cus();
            const bool idle = has_idle_block(*division, gpu, distribution);
            for (std::size_t i = 0; i < asks.size(); ++i) {
                const Part& part = division->parts[i];
                if (asks[i] < block) continue;
                const Blocks blocks = blocks_in(part.mask, gpu, distribution);
                EXPECT_GE(blocks.whole, 1U) << what(gpu, asks[i]);
                EXPECT_EQ(blocks.begun, 0U) << what(gpu, asks[i]);
                if (idle) {
                    EXPECT_LE(asks[i] - part.cus, block / 2 + 1e-6) << what(gpu, asks[i]);
                }
            }
        }
    }
}

}  // namespace
}  // namespace ration::amd
