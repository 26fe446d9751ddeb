#include <gmock/gmock.h>

#include "shim/amd/engine_masks.h"
#include "tests/unit/amd_models.h"

namespace ration::amd {
namespace {

using policy::EngineMasks;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

Mask mask(const EngineMasks& masks, const Gpu& gpu) {
    const auto result = part_of(masks, gpu);
    const Refusal* refusal = refusal_of(result);
    EXPECT_EQ(refusal, nullptr) << refusal->line;
    return refusal == nullptr ? std::get<Part>(result).mask : Mask{};
}

std::string refusal(const EngineMasks& masks, const Gpu& gpu) {
    const auto result = part_of(masks, gpu);
    const Refusal* found = refusal_of(result);
    return found == nullptr ? "not refused" : found->line;
}

TEST(EngineMasks, AreSpreadOverTheBitsOfTheKernel) {
    EXPECT_THAT(mask({{0, 0x0F}, {1, 0x7F}}, four_engines()), ElementsAre(0x02223333, 0));
}

TEST(EngineMasks, CountTheCusOfTheirPart) {
    EXPECT_EQ(std::get<Part>(part_of({{0, 0x0F}, {1, 0x7F}}, four_engines())).cus, 11U);
}

TEST(EngineMasks, GoThroughTheArraysOfAnEngine) {
    // Bits 0 to 9 are array 0, bits 10 to 19 array 1.
    const auto all = places(navi21());
    const Mask second = mask({{2, 0xC00}}, navi21());
    for (unsigned bit = 0; bit < all.size(); ++bit) {
        const bool wanted = all[bit]->engine == 2 && all[bit]->array == 1 && all[bit]->cu < 2;
        EXPECT_EQ(test(second, bit), wanted) << bit;
    }
}

TEST(EngineMasks, HoldForEveryXcc) {
    EXPECT_THAT(by_engine(mask({{1, 0x3F}}, mi300x()), mi300x()), Each(ElementsAre(0, 0x3F, 0, 0)));
}

TEST(EngineMasks, ComeBackFromTheBits) {
    for (const Gpu& gpu : all_models()) {
        const EngineMasks masks = {{0, 0x33}, {1, 0xF}};
        for (const auto& engines : by_engine(mask(masks, gpu), gpu)) {
            EXPECT_EQ(engines[0], 0x33U) << gpu.name;
            EXPECT_EQ(engines[1], 0xFU) << gpu.name;
            EXPECT_EQ(engines[2], 0U) << gpu.name;
        }
    }
}

TEST(EngineMasks, AreRefusedWhereTheEngineIsMissing) {
    EXPECT_EQ(refusal({{0, 0xF}, {8, 0x1}}, mi210()),
              "cu_mask: GPU 0 (aldebaran, gfx90a, 104 CUs) has no shader engine 8, but 0 to 7: the "
              "nearest is cu_mask = { 0 = \"0x0f\" }, a share of 3.85%");
    EXPECT_THAT(refusal({{8, 0x1}}, mi210()), HasSubstr("cu_mask = { 0 = \"0x01\" }"));
    EXPECT_THAT(refusal({{4, 0x1}}, mi300x()), HasSubstr("but 0 to 3 in each XCC"));
}

TEST(EngineMasks, AreRefusedWhereTheyAreWiderThanTheEngine) {
    EXPECT_THAT(refusal({{7, 0x3FFF}}, mi210()),
                AllOf(HasSubstr("has 13 CUs in shader engine 7, too few for 0x3fff"),
                      HasSubstr("cu_mask = { 7 = \"0x1fff\" }, a share of 12.5%")));
    EXPECT_EQ(refusal({{7, 0x1FFF}}, mi210()), "not refused");
}

TEST(EngineMasks, AreRefusedWithHalfAPair) {
    EXPECT_THAT(refusal({{0, 0x7}}, navi21()),
                AllOf(HasSubstr("0x07 of shader engine 0 has half a pair"),
                      HasSubstr("cu_mask = { 0 = \"0x0f\" }, a share of 5%")));
    EXPECT_THAT(refusal({{0, 0x6}}, navi21()), HasSubstr("half a pair"));
    EXPECT_EQ(refusal({{0, 0x7}}, mi210()), "not refused");
}

TEST(EngineMasks, AreRefusedWhereAnXccWouldHaveNoCu) {
    // Engine 0 of XCC 0 has 8 CUs, that of the others 10.
    EXPECT_THAT(refusal({{0, 0x300}}, uneven_xccs()), HasSubstr("an XCC without a CU"));
}

}  // namespace
}  // namespace ration::amd
