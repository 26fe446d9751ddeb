#include "tests/sim/kfd/topology.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <initializer_list>
#include <utility>

namespace sim::kfd {
namespace {

using Properties = std::initializer_list<std::pair<const char*, std::uint64_t>>;

constexpr std::uint64_t kFirstProcessor = 0x80000000;  // simd_id_base of the first GPU is above

std::string lines(Properties properties) {
    std::string text;
    for (const auto& [name, value] : properties) {
        text += std::string(name) + " " + std::to_string(value) + "\n";
    }
    return text;
}

std::string node_path(unsigned node) {
    return "kfd/kfd/topology/nodes/" + std::to_string(node) + "/";
}

std::string link(unsigned from, unsigned to) {
    constexpr std::uint64_t kPciExpress = 2;
    return lines({{"type", kPciExpress},
                  {"version_major", 0},
                  {"version_minor", 0},
                  {"node_from", from},
                  {"node_to", to},
                  {"weight", 20},
                  {"min_latency", 0},
                  {"max_latency", 0},
                  {"min_bandwidth", 0},
                  {"max_bandwidth", 0},
                  {"recommended_transfer_size", 0},
                  {"recommended_sdma_engine_id_mask", 0},
                  {"flags", 1}});
}

std::string bank(std::uint64_t heap, std::uint64_t bytes, std::uint64_t width,
                 std::uint64_t clock) {
    return lines({{"heap_type", heap},
                  {"size_in_bytes", bytes},
                  {"flags", 0},
                  {"width", width},
                  {"mem_clk_max", clock}});
}

std::string cache(std::uint64_t processor, unsigned level, std::uint64_t kib) {
    std::string text = lines({{"processor_id_low", processor},
                              {"level", level},
                              {"size", kib},
                              {"cache_line_size", 128},
                              {"cache_lines_per_tag", 1},
                              {"association", 16},
                              {"latency", 0},
                              {"type", 9}});
    text += "sibling_map 1";
    for (int i = 1; i < 256; ++i) text += ",0";
    return text + "\n";
}

std::uint64_t first_processor(const Gpu& gpu) { return kFirstProcessor + 4096 * gpu.node(); }

// One of level 1 for each CU that works, numbered as if all did (fill_in_l1_pcache in
// kfd_topology.c), and one of level 2. Elsewhere the topology does not tell which CUs are
// harvested.
void add_caches(Files& files, const std::string& path, const Gpu& gpu) {
    constexpr unsigned kLevelOneKib = 16;
    constexpr unsigned kLevelTwoKib = 8192;
    unsigned caches = 0;
    const auto add = [&](std::uint64_t processor, unsigned level, std::uint64_t kib) {
        files[path + "caches/" + std::to_string(caches++) + "/properties"] =
            cache(processor, level, kib);
    };
    std::uint64_t array_start = first_processor(gpu);
    for (unsigned xcc = 0; xcc < gpu.layout.xccs; ++xcc) {
        for (const auto& engine : gpu.layout.cus) {
            for (const unsigned cus : engine) {
                for (unsigned cu = 0; cu < cus; ++cu) add(array_start + cu, 1, kLevelOneKib);
                array_start += gpu.model->cus_per_array;
            }
        }
    }
    add(first_processor(gpu), 2, kLevelTwoKib);
}

void add_cpu(Files& files, std::size_t gpus) {
    constexpr std::uint64_t kSystemHeap = 0;
    struct sysinfo machine {};
    sysinfo(&machine);
    const std::string path = node_path(0);
    files[path + "gpu_id"] = "0\n";
    files[path + "name"] = "\n";
    files[path + "properties"] =
        lines({{"cpu_cores_count", static_cast<std::uint64_t>(sysconf(_SC_NPROCESSORS_ONLN))},
               {"simd_count", 0},
               {"mem_banks_count", 1},
               {"caches_count", 0},
               {"io_links_count", gpus},
               {"p2p_links_count", 0},
               {"cpu_core_id_base", 0},
               {"simd_id_base", 0},
               {"max_waves_per_simd", 0},
               {"drm_render_minor", 0},
               {"num_xcc", 0},
               {"max_engine_clk_ccompute", 3000}});
    files[path + "mem_banks/0/properties"] =
        bank(kSystemHeap, std::uint64_t{machine.totalram} * machine.mem_unit, 64, 2400);
    for (unsigned i = 0; i < gpus; ++i) {
        files[path + "io_links/" + std::to_string(i) + "/properties"] = link(0, i + 1);
    }
}

// Bits of HSA_CAP_*: hot-pluggable no, queue sizes, watch points, and doorbells of 64 bits (2 <<
// 12).
std::uint64_t capability(const Model& model) {
    constexpr std::uint64_t kSramEcc = std::uint64_t{1} << 26;
    return 1U << 3 | 1U << 7 | 2U << 8 | 2U << 12 | (model.pairs() ? 0 : kSramEcc);
}

std::string gpu_properties(const Gpu& gpu) {
    const Model& model = *gpu.model;
    const std::uint64_t simds = model.pairs() ? 2 : 4;
    const std::uint64_t arrays = std::uint64_t{model.engines} * model.arrays * gpu.layout.xccs;
    return lines({{"cpu_cores_count", 0},
                  {"simd_count", gpu.layout.total() * simds},
                  {"mem_banks_count", 1},
                  {"caches_count", gpu.layout.total() + 1},
                  {"io_links_count", 1},
                  {"p2p_links_count", 0},
                  {"cpu_core_id_base", 0},
                  {"simd_id_base", first_processor(gpu)},
                  {"max_waves_per_simd", model.pairs() ? 16 : 8},
                  {"lds_size_in_kb", 64},
                  {"gds_size_in_kb", 0},
                  {"num_gws", 64},
                  {"wave_front_size", model.pairs() ? 32 : 64},
                  {"array_count", arrays},
                  {"simd_arrays_per_engine", model.arrays},
                  {"cu_per_simd_array", model.cus_per_array},
                  {"simd_per_cu", simds},
                  {"max_slots_scratch_cu", 32},
                  {"gfx_target_version", model.gfx},
                  {"vendor_id", 0x1002},
                  {"device_id", model.device_id},
                  {"location_id", gpu.location},
                  {"domain", 0},
                  {"drm_render_minor", gpu.render_minor},
                  {"hive_id", 0},
                  {"num_sdma_engines", model.sdma_engines},
                  {"num_sdma_xgmi_engines", 0},
                  {"num_sdma_queues_per_engine", 8},
                  {"num_cp_queues", 24},
                  {"max_engine_clk_fcompute", 1700},
                  {"local_mem_size", 0},
                  {"fw_version", 70},
                  {"capability", capability(model)},
                  {"capability2", 0},
                  {"debug_prop", 0},
                  {"sdma_fw_version", 8},
                  {"unique_id", gpu.unique_id},
                  {"num_xcc", gpu.layout.xccs},
                  {"max_engine_clk_ccompute", 3000}});
}

void add_gpu(Files& files, const Gpu& gpu) {
    constexpr std::uint64_t kPublicFrameBuffer = 1;
    const std::string path = node_path(gpu.node());
    files[path + "gpu_id"] = std::to_string(gpu.gpu_id) + "\n";
    files[path + "name"] = std::string(gpu.model->asic) + "\n";
    files[path + "properties"] = gpu_properties(gpu);
    files[path + "mem_banks/0/properties"] = bank(kPublicFrameBuffer, gpu.vram, 4096, 1600);
    add_caches(files, path, gpu);
    files[path + "io_links/0/properties"] = link(gpu.node(), 0);
}

}  // namespace

Files topology_files(const Node& node) {
    Files files;
    // What lsmod reads.
    files["modules"] = "amdgpu 9850880 0 - Live 0x0000000000000000\n";
    files["module/amdgpu/initstate"] = "live\n";
    files["module/amdgpu/refcnt"] = "0\n";
    files["module/amdgpu/holders/"] = "";
    files["kfd/kfd/topology/generation_id"] = "1\n";
    files["kfd/kfd/topology/system_properties"] = "platform_oem 0\nplatform_id 0\nplatform_rev 0\n";
    add_cpu(files, node.gpus.size());
    for (const Gpu& gpu : node.gpus) add_gpu(files, gpu);
    return files;
}

}  // namespace sim::kfd
