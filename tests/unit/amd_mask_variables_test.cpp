#include <gmock/gmock.h>

#include "shim/amd/drawing.h"
#include "shim/amd/engine_masks.h"
#include "shim/amd/mask_variables.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

TEST(HsaMasks, AreListsOfGpusAndOfCus) {
    const HsaMasks read = read_hsa_masks("0,2-3:0-15, 32 ; 1:0X337f");
    EXPECT_FALSE(read.mistake);
    EXPECT_THAT(read.masks,
                ElementsAre(Pair(0, ElementsAre(0xFFFF, 1)), Pair(1, ElementsAre(0x337F)),
                            Pair(2, SizeIs(2)), Pair(3, SizeIs(2))));
}

TEST(HsaMasks, MayBeWide) {
    EXPECT_THAT(read_hsa_masks("0:0x100000000f").masks.at(0), ElementsAre(0xF, 0x10));
}

TEST(HsaMasks, EndAtTheFirstMistake) {
    for (const char* wrong : {"x:0", "0", "0:", "0:0x", "0:0x0", "0:3-1", "0:1,1", "0,0:1", "0:-1",
                              "0:1:2", "0:0-99999", "0:0xfg"}) {
        const HsaMasks read = read_hsa_masks("5:0;" + std::string(wrong) + ";6:0");
        EXPECT_TRUE(read.mistake) << wrong;
        EXPECT_THAT(read.masks, ElementsAre(Pair(5, ElementsAre(1)))) << wrong;
    }
    EXPECT_TRUE(read_hsa_masks("5:0;5:1").mistake);
    EXPECT_FALSE(read_hsa_masks("").mistake);
}

TEST(HsaMasks, WithHalfAPairAreIgnoredByRocr) {
    const HsaMasks read = read_hsa_masks("0:0-2");
    EXPECT_FALSE(hsa_mask_of(read, 0, navi21()));
    EXPECT_TRUE(hsa_mask_of(read, 0, mi210()));
    EXPECT_FALSE(hsa_mask_of(read, 1, mi210()));
}

TEST(HipMask, IsHexadecimal) {
    EXPECT_THAT(*read_hip_mask("0xF0000000F", mi210()), ElementsAre(0xF, 0xF));
    EXPECT_THAT(*read_hip_mask("f0", mi210()), ElementsAre(0xF0));
    EXPECT_FALSE(read_hip_mask("0x", mi210()));
    EXPECT_FALSE(read_hip_mask("g", mi210()));
    EXPECT_FALSE(read_hip_mask("0xf", navi21()));
}

TEST(Draw, IsOneLineForEachEngine) {
    const auto part = part_of({{0, 0x0F}, {2, 0x5}}, four_engines());
    EXPECT_THAT(draw(std::get<Part>(part).mask, four_engines()),
                ElementsAre("SE0 ####............ 4 of 16", "SE1 ................ 0 of 16",
                            "SE2 #.#............. 2 of 16", "SE3 ................ 0 of 16"));
}

TEST(Draw, SeparatesArrays) {
    EXPECT_EQ(draw({0xFFFF}, navi21())[0], "SE0 ##........|##........ 4 of 20");
}

TEST(Draw, DrawsXccsThatLookAlikeOnce) {
    Mask mask = blank(mi300x());
    mask[0] = 0xFFFFFFFF;
    EXPECT_THAT(draw(mask, mi300x()),
                ElementsAre("XCC0-7 SE0 #......... 1 of 10", "XCC0-7 SE1 #......... 1 of 10",
                            "XCC0-7 SE2 #........ 1 of 9", "XCC0-7 SE3 #........ 1 of 9"));
    mask[1] = 0x1;
    EXPECT_THAT(draw(mask, mi300x()), SizeIs(8));
}

TEST(Draw, AnEmptyMaskIsAllCus) {
    EXPECT_EQ(draw({}, four_engines())[3], "SE3 ################ 16 of 16");
}

}  // namespace
}  // namespace ration::amd
