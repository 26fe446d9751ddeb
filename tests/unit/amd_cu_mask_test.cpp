#include <gmock/gmock.h>

#include <map>

#include "shim/amd/cu_mask.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

// se_mask of one XCC, computed as the kernel's loops do it, with no help from the code under test.
std::vector<std::uint32_t> kernel_se_masks(const Gpu& gpu, const Mask& mask, unsigned xcc) {
    std::vector<std::uint32_t> out(gpu.engines_per_xcc());
    const unsigned inc = gpu.pairs ? 2 : 1;
    const std::uint32_t enable = gpu.pairs ? 3 : 1;
    unsigned i = xcc;
    for (unsigned cu = 0; cu < 16; cu += inc) {
        for (unsigned sh = 0; sh < gpu.arrays_per_engine; ++sh) {
            for (unsigned se = 0; se < gpu.engines_per_xcc(); ++se) {
                if (gpu.cus_of_array(xcc, se, sh) <= cu) continue;
                const bool last = cu + 1 == gpu.cus_of_array(xcc, se, sh);
                const std::uint32_t there = last ? 1 : enable;  // the other half does not exist
                if ((mask[i / 32] & (enable << (i % 32))) != 0) out[se] |= there << (cu + sh * 16);
                i += inc * gpu.xccs;
                if (i >= gpu.cus) return out;
            }
        }
    }
    return out;
}

TEST(Places, AreWhereTheKernelPutsEachBit) {
    for (const Gpu& gpu : all_models()) {
        const auto all = places(gpu);
        const unsigned step = gpu.pairs ? 2 : 1;
        for (unsigned bit = 0; bit < gpu.cus; bit += step) {
            Mask mask = blank(gpu);
            set(mask, bit);
            if (gpu.pairs) set(mask, bit + 1);
            for (unsigned xcc = 0; xcc < gpu.xccs; ++xcc) {
                std::vector<std::uint32_t> expected(gpu.engines_per_xcc());
                for (unsigned one = bit; one < bit + step; ++one) {
                    if (!all[one] || all[one]->xcc != xcc) continue;
                    expected[all[one]->engine] |= 1U << (all[one]->cu + all[one]->array * 16);
                }
                ASSERT_EQ(kernel_se_masks(gpu, mask, xcc), expected)
                    << gpu.name << " " << gpu.cus << " bit " << bit << " XCC " << xcc;
            }
        }
    }
}

TEST(Places, AreEachOnce) {
    for (const Gpu& gpu : all_models()) {
        std::map<std::vector<unsigned>, unsigned> seen;
        for (const auto& place : places(gpu)) {
            if (place) ++seen[{place->xcc, place->engine, place->array, place->cu}];
        }
        for (const auto& [place, times] : seen) EXPECT_EQ(times, 1U) << gpu.name;
        EXPECT_LE(gpu.cus - seen.size(), gpu.xccs * 2U) << "only uneven XCCs have unused bits";
    }
}

TEST(Places, SkipWhatIsSwitchedOff) {
    // Engines 2 and 3 of each XCC have 9 CUs: the last two bits are of engines 0 and 1.
    const auto all = places(mi300x_cpx());
    EXPECT_EQ(all[36]->engine, 0U);
    EXPECT_EQ(all[37]->engine, 1U);
    EXPECT_EQ(all[37]->cu, 9U);
}

TEST(Mask, HasWordsForAllCus) {
    EXPECT_EQ(blank(mi300x()).size(), 10U);
    EXPECT_EQ(blank(four_engines()).size(), 2U);
    EXPECT_EQ(blank(mi300x_cpx()).size(), 2U);
}

TEST(Mask, IsWrittenHighestWordFirst) {
    EXPECT_EQ(hexadecimal({0x00FFFFFF, 0x1}), "0x0000000100ffffff");
}

TEST(CountCus, CountsWhatIsThere) {
    EXPECT_EQ(count_cus({0xFFFFFFFF, 0xFFFFFFFF}, mi300x_cpx()), 38U);
    EXPECT_EQ(count_cus({0x3}, navi21()), 2U);
}

TEST(Within, IsWhatBothAllow) {
    const Gpu gpu = four_engines();
    EXPECT_THAT(within({0xF0F0, 0xFF}, {0x0FF0, 0x0F}, gpu), ElementsAre(0x00F0, 0x0F));
}

TEST(Within, AnEmptyLimitIsNone) {
    EXPECT_THAT(within({0xF0, 0}, {}, four_engines()), ElementsAre(0xF0, 0));
}

TEST(Within, ReadsAMaskThatIsTooShortAsZeroBeyond) {
    EXPECT_THAT(within({0xF0}, {0xFF, 0xFF}, four_engines()), ElementsAre(0xF0, 0));
    EXPECT_THAT(within({0xF0, 0xF0}, {0xFF}, four_engines()), ElementsAre(0xF0, 0));
}

TEST(Within, CutsToTheGpu) {
    EXPECT_THAT(within({1, 2, 3}, {}, four_engines()), ElementsAre(1, 2));
}

TEST(Within, IsEmptyWhenNothingIsLeft) {
    EXPECT_THAT(within({0xF0, 0}, {0x0F, 0}, four_engines()), IsEmpty());
    EXPECT_THAT(within({}, {0x0F, 0}, four_engines()), IsEmpty());
}

TEST(Within, IsEmptyWhenAnXccWouldHaveNoCu) {
    Mask limit = blank(mi300x());
    limit[0] = 0xFFFFFFFF;
    Mask asked = blank(mi300x());
    asked[0] = 0x7F;  // none of XCC 7
    EXPECT_THAT(within(asked, limit, mi300x()), IsEmpty());
    asked[0] = 0xFF;
    EXPECT_EQ(within(asked, limit, mi300x())[0], 0xFFU);
}

TEST(Pairs, AreWholeOnlyIfBothCusAreThere) {
    EXPECT_TRUE(pairs_are_whole({0x3C}, navi21()));
    EXPECT_FALSE(pairs_are_whole({0x1C}, navi21()));
    EXPECT_FALSE(pairs_are_whole({0x38}, navi21()));
    EXPECT_TRUE(pairs_are_whole({0x1C}, mi210()));
}

}  // namespace
}  // namespace ration::amd
