#include "tests/sim/kfd/models.h"

#include <gmock/gmock.h>

namespace sim::kfd {
namespace {

unsigned cus(const std::string& gpu) { return parse_node(gpu).gpus.at(0).layout.total(); }

TEST(Models, HaveTheirDataSheetsCus) {
    EXPECT_EQ(cus("mi50"), 60U);
    EXPECT_EQ(cus("mi100"), 120U);
    EXPECT_EQ(cus("mi210"), 104U);
    EXPECT_EQ(cus("mi300x"), 304U);
    EXPECT_EQ(cus("navi21"), 80U);
    EXPECT_EQ(cus("navi21xl"), 72U);
}

TEST(Models, LoseWholePairsOnRdna) {
    const Layout layout = parse_node("navi21xl").gpus.at(0).layout;
    for (const auto& engine : layout.cus) {
        for (const unsigned array : engine) EXPECT_EQ(array % 2, 0U);
    }
}

TEST(Models, PartitionsDivideTheBoard) {
    const Node node = parse_node("mi300x/qpx");
    ASSERT_EQ(node.gpus.size(), 4U);
    EXPECT_EQ(node.gpus[0].layout.xccs, 2U);
    EXPECT_EQ(node.gpus[0].layout.total(), 76U);
    EXPECT_EQ(node.gpus[0].vram, std::uint64_t{48} << 30);
    EXPECT_EQ(node.gpus[1].location & 0xffff, node.gpus[0].location & 0xffff);
    EXPECT_EQ(node.gpus[3].location >> 28, 3U);
    EXPECT_NE(node.gpus[0].unique_id, node.gpus[1].unique_id);
}

TEST(Models, AreListedInPciOrderWithNumbersOfTheirOwn) {
    const Node node = parse_node("mi210, navi21,mi210");
    ASSERT_EQ(node.gpus.size(), 3U);
    EXPECT_STREQ(node.gpus[1].model->key, "navi21");
    EXPECT_LT(node.gpus[0].location, node.gpus[1].location);
    EXPECT_EQ(node.by_gpu_id(node.gpus[2].gpu_id), &node.gpus[2]);
    EXPECT_EQ(node.by_gpu_id(0), nullptr);
}

TEST(Models, NoneIsANodeWithoutGpus) {
    EXPECT_TRUE(parse_node("none").gpus.empty());
    EXPECT_EQ(parse_node("none").error, "");
}

TEST(Models, MistakesAreNamed) {
    EXPECT_EQ(parse_node("h100").error, "SIM_KFD_GPUS: no such model: h100");
    EXPECT_EQ(parse_node("mi210/cpx").error, "SIM_KFD_GPUS: no such partition mode: mi210/cpx");
    EXPECT_EQ(parse_node("mi300x/3").error, "SIM_KFD_GPUS: no such partition mode: mi300x/3");
    EXPECT_TRUE(parse_node("mi210,").gpus.empty());
}

}  // namespace
}  // namespace sim::kfd
