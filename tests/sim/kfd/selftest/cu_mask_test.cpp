#include "tests/sim/kfd/cu_mask.h"

#include <gmock/gmock.h>

#include "tests/sim/kfd/models.h"

namespace sim::kfd {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

Layout layout_of(const std::string& gpu) { return parse_node(gpu).gpus.at(0).layout; }

TEST(CuMask, SpreadsARunOfBitsOverTheEngines) {
    EXPECT_THAT(map_mask(layout_of("mi50"), {0xff}), ElementsAre(ElementsAre(3, 3, 3, 3)));
}

// "Shader 0: 1111 0..., shader 1: 1111 111 0..." of four engines.
TEST(CuMask, OneEngineIsEveryFourthBit) {
    EXPECT_THAT(map_mask(layout_of("mi50"), {0x02223333}),
                ElementsAre(ElementsAre(0x0f, 0x7f, 0, 0)));
}

TEST(CuMask, OnlyWorkingCusConsumeBits) {
    Layout layout;
    layout.cus = {{2}, {1}};
    EXPECT_THAT(map_mask(layout, {0b111}), ElementsAre(ElementsAre(3, 1)));
    EXPECT_THAT(map_mask(layout, {0b100}), ElementsAre(ElementsAre(2, 0)));
}

TEST(CuMask, DropsBitsBeyondTheLastCu) {
    EXPECT_EQ(count_cus(map_mask(layout_of("mi210"), Mask(32, ~0U))), 104U);
    EXPECT_EQ(count_cus(map_mask(layout_of("mi210"), {0, 0, 0, 0xffffff00})), 0U);
}

TEST(CuMask, OneUnitIsAPairWithArraysInHalves) {
    const Layout navi = layout_of("navi21");
    EXPECT_THAT(map_mask(navi, {0b11}), ElementsAre(ElementsAre(3, 0, 0, 0)));
    // After the four engines' first array comes their second, in the upper half.
    EXPECT_THAT(map_mask(navi, {0b11 << 8}), ElementsAre(ElementsAre(0x30000, 0, 0, 0)));
    EXPECT_THAT(map_mask(navi, {0xffff}), ElementsAre(Each(0x30003U)));
}

TEST(CuMask, SeveralXccsTakeBitsInTurn) {
    const Layout mi300x = layout_of("mi300x");
    const auto xccs = map_mask(mi300x, {0xff});
    ASSERT_EQ(xccs.size(), 8U);
    EXPECT_THAT(xccs, Each(ElementsAre(1, 0, 0, 0)));
    EXPECT_THAT(map_mask(mi300x, {0b10})[1], ElementsAre(1, 0, 0, 0));
    EXPECT_THAT(map_mask(mi300x, {0, 0x01})[0], ElementsAre(2, 0, 0, 0));
}

TEST(CuMask, APartitionOfAnMi300xIsAnXccByItself) {
    EXPECT_THAT(map_mask(layout_of("mi300x/cpx"), {0xf}), ElementsAre(ElementsAre(1, 1, 1, 1)));
}

TEST(CuMask, AllOfThemIsWhatAQueueBeginsWith) {
    for (const char* gpu : {"mi50", "mi100", "mi210", "mi300x", "navi21", "navi21xl"}) {
        const Layout layout = layout_of(gpu);
        EXPECT_EQ(count_cus(all_engines(layout)), layout.total()) << gpu;
        EXPECT_FALSE(hangs(all_engines(layout))) << gpu;
    }
}

TEST(CuMask, HangsWithoutACuInSomeXcc) {
    EXPECT_TRUE(hangs(map_mask(layout_of("mi210"), {0})));
    EXPECT_FALSE(hangs(map_mask(layout_of("mi210"), {1})));
    EXPECT_TRUE(hangs(map_mask(layout_of("mi300x"), {0x7f})));
    EXPECT_FALSE(hangs(map_mask(layout_of("mi300x"), {0xff})));
}

TEST(CuMask, RefusesWhatIsNotAMultipleOf32) {
    EXPECT_NE(refuse_bits(0), nullptr);
    EXPECT_NE(refuse_bits(33), nullptr);
    EXPECT_EQ(refuse_bits(32), nullptr);
    EXPECT_EQ(refuse_bits(2048), nullptr);
}

TEST(CuMask, RefusesHalfAPairOnRdnaAlone) {
    EXPECT_NE(refuse_mask(layout_of("navi21"), {0b0111}), nullptr);
    EXPECT_NE(refuse_mask(layout_of("navi21"), {0, 0b10}), nullptr);
    EXPECT_EQ(refuse_mask(layout_of("navi21"), {0b1100}), nullptr);
    EXPECT_EQ(refuse_mask(layout_of("mi210"), {0b0111}), nullptr);
}

TEST(CuMask, TakesAnAllZeroMask) { EXPECT_EQ(refuse_mask(layout_of("navi21"), {0}), nullptr); }

}  // namespace
}  // namespace sim::kfd
