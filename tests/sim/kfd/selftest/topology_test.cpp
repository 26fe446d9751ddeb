#include "tests/sim/kfd/topology.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace sim::kfd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string properties(const std::string& gpus, unsigned node) {
    return topology_files(parse_node(gpus))
        .at("kfd/kfd/topology/nodes/" + std::to_string(node) + "/properties");
}

// As listings from such machines have it.
TEST(Topology, OfAnMi300x) {
    EXPECT_THAT(properties("mi300x", 1),
                AllOf(HasSubstr("simd_count 1216\n"), HasSubstr("array_count 32\n"),
                      HasSubstr("simd_arrays_per_engine 1\n"), HasSubstr("cu_per_simd_array 10\n"),
                      HasSubstr("gfx_target_version 90402\n"), HasSubstr("num_xcc 8\n")));
}

TEST(Topology, OfAnMi100) {
    EXPECT_THAT(properties("mi100", 1),
                AllOf(HasSubstr("simd_count 480\n"), HasSubstr("array_count 8\n"),
                      HasSubstr("cu_per_simd_array 16\n"), HasSubstr("device_id 29580\n")));
}

TEST(Topology, OfRdnaHasTwoSimdsACu) {
    EXPECT_THAT(properties("navi21", 1),
                AllOf(HasSubstr("simd_count 160\n"), HasSubstr("simd_per_cu 2\n"),
                      HasSubstr("array_count 8\n"), HasSubstr("simd_arrays_per_engine 2\n")));
}

TEST(Topology, APartitionIsANode) {
    const Files files = topology_files(parse_node("mi300x/cpx"));
    EXPECT_TRUE(files.contains("kfd/kfd/topology/nodes/8/properties"));
    EXPECT_FALSE(files.contains("kfd/kfd/topology/nodes/9/properties"));
    EXPECT_THAT(properties("mi300x/cpx", 8), HasSubstr("simd_count 152\n"));
}

// The only place where the harvested CUs show: the last CU of the last engine, in every XCC.
TEST(Topology, CachesLeaveOutWhatDoesNotWork) {
    const Files files = topology_files(parse_node("mi300x"));
    const std::string caches = "kfd/kfd/topology/nodes/1/caches/";
    EXPECT_TRUE(files.contains(caches + "304/properties"));
    EXPECT_FALSE(files.contains(caches + "305/properties"));
    const auto processor = [&](unsigned cache) {
        const std::string& text = files.at(caches + std::to_string(cache) + "/properties");
        unsigned number = 0;
        EXPECT_EQ(std::sscanf(text.c_str(), "processor_id_low %u\nlevel 1\n", &number), 1);
        return number;
    };
    EXPECT_EQ(processor(1) - processor(0), 1U);
    EXPECT_EQ(processor(37) - processor(0), 38U);
    EXPECT_EQ(processor(38) - processor(0), 40U);
}

TEST(Topology, IsPublishedOnceAndWhole) {
    std::string parent = std::filesystem::temp_directory_path() / "sim-kfd.XXXXXX";
    ASSERT_NE(mkdtemp(parent.data()), nullptr);
    const Files files = topology_files(parse_node("mi210"));
    std::vector<std::string> roots(4);
    std::vector<std::thread> threads;
    for (std::string& root : roots) {
        threads.emplace_back([&] { root = publish(files, parent); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& root : roots) EXPECT_EQ(root, roots[0]);
    std::size_t folders = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(parent + "/kfd-topology")) {
        ++folders;
    }
    EXPECT_EQ(folders, 1U);
    for (const auto& [path, text] : files) {
        if (path.ends_with('/')) continue;
        std::ostringstream written;
        written << std::ifstream(roots[0] + "/" + path).rdbuf();
        EXPECT_EQ(written.str(), text) << path;
    }
    EXPECT_NE(publish(topology_files(parse_node("mi100")), parent), roots[0]);
    std::filesystem::remove_all(parent);
}

TEST(Topology, IsNotPublishedWhereNothingMayBeWritten) {
    EXPECT_EQ(publish(topology_files(parse_node("none")), "/proc/self"), "");
}

}  // namespace
}  // namespace sim::kfd
