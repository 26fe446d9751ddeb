#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "shim/amd/topology.h"

namespace ration::amd {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A folder like /sys/class/kfd/kfd/topology.
class TopologyTest : public testing::Test {
  protected:
    using Values = std::map<std::string, std::string>;

    TopologyTest() : root_(testing::TempDir() + "/topology-XXXXXX") {
        EXPECT_NE(mkdtemp(root_.data()), nullptr);
        write("nodes/0/gpu_id", "0\n");
        write("nodes/0/properties", "cpu_cores_count 64\nsimd_count 0\n");
    }
    ~TopologyTest() override { std::filesystem::remove_all(root_); }

    void write(const std::string& name, const std::string& text) {
        const std::filesystem::path path = root_ + "/" + name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }

    static std::string lines(const Values& values) {
        std::string text;
        for (const auto& [name, value] : values) text += name + " " + value + "\n";
        return text;
    }

    // An MI210 with changes.
    void add(unsigned node, const Values& changes) {
        Values values = {{"simd_count", "416"},
                         {"simd_per_cu", "4"},
                         {"array_count", "8"},
                         {"simd_arrays_per_engine", "1"},
                         {"cu_per_simd_array", "14"},
                         {"simd_id_base", "2147487744"},
                         {"gfx_target_version", "90010"},
                         {"location_id", std::to_string(0xC100 + node)},
                         {"domain", "0"},
                         {"unique_id", "1311768467463790321"},
                         {"num_xcc", "1"}};
        for (const auto& [name, value] : changes) values[name] = value;
        const std::string folder = "nodes/" + std::to_string(node);
        write(folder + "/gpu_id", std::to_string(50000 + node) + "\n");
        write(folder + "/name", "aldebaran\n");
        write(folder + "/properties", lines(values));
        write(folder + "/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 68702699520\n");
        write(folder + "/mem_banks/1/properties", "heap_type 3\nsize_in_bytes 999\n");
    }

    void add_cache(unsigned node, unsigned number, unsigned first, unsigned level,
                   const std::string& map) {
        write("nodes/" + std::to_string(node) + "/caches/" + std::to_string(number) + "/properties",
              lines({{"processor_id_low", std::to_string(2147487744U + first)},
                     {"level", std::to_string(level)},
                     {"sibling_map", map}}));
    }

    std::string root_;
};

TEST_F(TopologyTest, IsEmptyWithoutTheDriver) {
    EXPECT_THAT(read_topology(root_ + "/none"), IsEmpty());
}

TEST_F(TopologyTest, ReadsAGpu) {
    add(1, {});
    const auto gpus = read_topology(root_);
    ASSERT_THAT(gpus, SizeIs(1));
    const Gpu& gpu = gpus[0];
    EXPECT_EQ(gpu.node, 1U);
    EXPECT_EQ(gpu.gpu_id, 50001U);
    EXPECT_EQ(gpu.name, "aldebaran");
    EXPECT_EQ(gpu.uuid, "GPU-123456789abcdef1");
    EXPECT_EQ(gpu.pci, "0000:c1:00.1");
    EXPECT_EQ(gpu.cus, 104U);
    EXPECT_EQ(gpu.engines, 8U);
    EXPECT_EQ(gpu.xccs, 1U);
    EXPECT_FALSE(gpu.pairs);
    EXPECT_EQ(gpu.vram, 68702699520U);
    EXPECT_EQ(describe(gpu), "GPU 0 (aldebaran, gfx90a, 104 CUs)");
}

TEST_F(TopologyTest, ListsInPciOrderAndKeepsTheOrderOfTheKernel) {
    add(1, {{"location_id", "768"}});
    add(2, {{"location_id", "256"}});
    add(10, {{"location_id", "512"}});
    const auto gpus = read_topology(root_);
    ASSERT_THAT(gpus, SizeIs(3));
    EXPECT_EQ(gpus[0].pci, "0000:01:00.0");
    EXPECT_EQ(gpus[0].place, 0U);
    EXPECT_EQ(gpus[0].index, 1U);
    EXPECT_EQ(gpus[1].index, 2U) << "node 10 comes after node 2";
    EXPECT_EQ(gpus[2].index, 0U);
}

TEST_F(TopologyTest, ListsPartitionsOfAGpuInTheirOrder) {
    add(1, {{"location_id", std::to_string(0x10000100U)}});
    add(2, {{"location_id", std::to_string(0x00000100U)}});
    const auto gpus = read_topology(root_);
    EXPECT_EQ(gpus[0].partition, 0U);
    EXPECT_EQ(gpus[1].partition, 1U);
    EXPECT_EQ(gpus[1].pci, gpus[0].pci);
}

TEST_F(TopologyTest, PassesOverAGpuThatMayNotBeRead) {
    add(1, {});
    add(2, {});
    // As the device cgroup does: the file is there and reading it fails.
    std::filesystem::remove(root_ + "/nodes/1/gpu_id");
    std::filesystem::create_directory(root_ + "/nodes/1/gpu_id");
    const auto gpus = read_topology(root_);
    ASSERT_THAT(gpus, SizeIs(1));
    EXPECT_EQ(gpus[0].node, 2U);
    EXPECT_EQ(gpus[0].index, 0U);
}

TEST_F(TopologyTest, CountsEnginesOfAllXccs) {
    add(1, {{"simd_count", "1216"},
            {"array_count", "32"},
            {"num_xcc", "8"},
            {"cu_per_simd_array", "10"},
            {"gfx_target_version", "90402"}});
    const auto gpus = read_topology(root_);
    EXPECT_EQ(gpus[0].cus, 304U);
    EXPECT_EQ(gpus[0].engines_per_xcc(), 4U);
    EXPECT_THAT(gpus[0].array_cus, SizeIs(32));
}

TEST_F(TopologyTest, KnowsPairsByTheGeneration) {
    add(1, {{"gfx_target_version", "100300"}, {"simd_per_cu", "2"}});
    EXPECT_TRUE(read_topology(root_)[0].pairs);
}

TEST_F(TopologyTest, TakesTheLastArraysToLackCusWhereTheKernelDoesNotTell) {
    add(1, {{"simd_count", "440"}});
    const auto gpus = read_topology(root_);
    EXPECT_FALSE(gpus[0].arrays_known);
    EXPECT_THAT(gpus[0].array_cus, ElementsAre(14, 14, 14, 14, 14, 14, 13, 13));
}

TEST_F(TopologyTest, KnowsWhichCusWorkByTheirCaches) {
    // Two engines of four; CUs 1 of the first one and 0 of the second one are switched off.
    add(1, {{"simd_count", "24"}, {"array_count", "2"}, {"cu_per_simd_array", "4"}});
    add_cache(1, 0, 0, 1, "1,0,1,1,0,");
    add_cache(1, 1, 5, 1, "1,1,");
    add_cache(1, 2, 6, 1, "1,");
    add_cache(1, 3, 7, 1, "1,");
    add_cache(1, 4, 0, 2, "1,1,1,1,1,1,1,1,");
    const auto gpus = read_topology(root_);
    EXPECT_TRUE(gpus[0].arrays_known);
    EXPECT_THAT(gpus[0].array_cus, ElementsAre(3, 3));
    write("nodes/1/caches/2/properties", "level 1\n");
    write("nodes/1/caches/1/properties", "level 1\n");
    EXPECT_FALSE(read_topology(root_)[0].arrays_known) << "five CUs of six are listed";
}

TEST_F(TopologyTest, SurvivesNonsense) {
    add(1, {{"array_count", "0"}});
    add(2, {{"array_count", "7"}, {"num_xcc", "2"}});
    add(3, {{"simd_count", "99999999"}});
    add(4, {{"cu_per_simd_array", "4000000000"}, {"simd_per_cu", "0"}});
    add(6, {{"simd_count", "0"}});
    write("nodes/5/gpu_id", "77\n");
    write("nodes/x/gpu_id", "77\n");
    for (const Gpu& gpu : read_topology(root_)) {
        EXPECT_EQ(gpu.engines % gpu.xccs, 0U);
        EXPECT_EQ(gpu.array_cus.size(), std::size_t{gpu.engines} * gpu.arrays_per_engine);
    }
}

}  // namespace
}  // namespace ration::amd
