#include "shim/amd/topology.h"

#include <dirent.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>

namespace ration::amd {
namespace {

using Properties = std::map<std::string, std::string>;

constexpr unsigned kFirstWithPairs = 100000;  // gfx10.0.0

// Bounds against a file that is not what we take it for.
constexpr unsigned kMostCus = 1024;  // KFD: max_num_cus in kfd_ioctl_set_cu_mask
constexpr unsigned kMostCusOfArray = 16;
constexpr unsigned kMostXccs = 16;
constexpr std::size_t kMostFiles = 4096;

// Not an ifstream: one libc call for each step, which a preloaded simulation can stand in for.
std::optional<std::string> read_file(const std::string& path) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "re"), fclose);
    if (!file) return std::nullopt;
    std::string text;
    std::array<char, 4096> buffer;
    std::size_t size = 0;
    while ((size = fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
        text.append(buffer.data(), size);
    }
    if (ferror(file.get()) != 0) return std::nullopt;  // EPERM: the device cgroup hides the GPU
    return text;
}

// Lines of a name and a value.
Properties parse(const std::string& text) {
    Properties properties;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        const std::size_t blank = line.find(' ');
        if (blank != std::string::npos) {
            properties.emplace(line.substr(0, blank), line.substr(blank + 1));
        }
        begin = end + 1;
    }
    return properties;
}

std::uint64_t number(const Properties& properties, const char* name, std::uint64_t otherwise = 0) {
    const auto found = properties.find(name);
    return found == properties.end() ? otherwise : strtoull(found->second.c_str(), nullptr, 10);
}

unsigned small(const Properties& properties, const char* name, unsigned otherwise = 0) {
    const std::uint64_t value = number(properties, name, otherwise);
    return value > 0xFFFFFFFFU ? otherwise : static_cast<unsigned>(value);
}

// The numbers that name folders, in their order.
std::vector<unsigned> numbered_folders(const std::string& path) {
    std::vector<unsigned> numbers;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
    if (!folder) return numbers;
    while (const dirent* entry = readdir(folder.get())) {
        char* end = nullptr;
        const unsigned long value = strtoul(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && numbers.size() < kMostFiles) {
            numbers.push_back(static_cast<unsigned>(value));
        }
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

template <class Use>
void for_each_file(const std::string& folder, Use use) {
    for (const unsigned i : numbered_folders(folder)) {
        const auto text = read_file(folder + "/" + std::to_string(i) + "/properties");
        if (text) use(parse(*text));
    }
}

// Heap types 1 and 2 are the frame buffer, public and private (HSA_HEAPTYPE in hsakmttypes.h).
std::uint64_t read_vram(const std::string& folder) {
    std::uint64_t bytes = 0;
    for_each_file(folder + "/mem_banks", [&](const Properties& bank) {
        const std::uint64_t type = number(bank, "heap_type");
        if (type == 1 || type == 2) bytes += number(bank, "size_in_bytes");
    });
    return bytes;
}

// domain, bus, device, function: location_id as pci_dev_id() has it; its four upper bits are the
// partition (kfd_topology_add_device).
void read_location(const Properties& properties, Gpu& gpu) {
    const unsigned domain = small(properties, "domain");
    const unsigned location = small(properties, "location_id");
    std::array<char, 32> text{};
    snprintf(text.data(), text.size(), "%04x:%02x:%02x.%x", domain & 0xFFFFU,
             (location >> 8U) & 0xFFU, (location >> 3U) & 0x1FU, location & 7U);
    gpu.pci = text.data();
    gpu.partition = location >> 28U;
}

std::string uuid_of(std::uint64_t id) {
    if (id == 0) return "";
    std::array<char, 32> text{};
    snprintf(text.data(), text.size(), "GPU-%016llx", static_cast<unsigned long long>(id));
    return text.data();
}

bool plausible(const Gpu& gpu) {
    return gpu.xccs >= 1 && gpu.xccs <= kMostXccs && gpu.arrays_per_engine >= 1 &&
           gpu.engines >= gpu.xccs && gpu.engines % gpu.xccs == 0 &&
           gpu.engines * gpu.arrays_per_engine <= kMostCus;
}

// The CUs that a cache of level 1 serves: sibling_map has one bit a CU, the first one being
// processor_id_low (fill_in_l1_pcache in kfd_topology.c).
void add_served(const Properties& cache, unsigned base, std::set<unsigned>& cus) {
    if (number(cache, "level") != 1) return;
    const unsigned first = small(cache, "processor_id_low");
    const auto map = cache.find("sibling_map");
    if (first < base || map == cache.end()) return;
    unsigned bit = 0;
    for (const char c : map->second) {
        if (c == '1') cus.insert(first - base + bit);
        if (c == ',') ++bit;
    }
}

// Which CUs work is told only by the list of their caches: CUs are numbered through XCCs, engines
// and arrays, those that are switched off included.
std::vector<unsigned> read_arrays(const std::string& folder, const Properties& properties,
                                  const Gpu& gpu, unsigned most) {
    const unsigned base = small(properties, "simd_id_base");
    std::set<unsigned> cus;
    for_each_file(folder + "/caches",
                  [&](const Properties& cache) { add_served(cache, base, cus); });
    const std::size_t arrays = std::size_t{gpu.engines} * gpu.arrays_per_engine;
    if (cus.empty() || cus.size() != gpu.cus || *cus.rbegin() >= arrays * most) return {};
    std::vector<unsigned> counts(arrays);
    for (const unsigned cu : cus) ++counts[cu / most];
    return counts;
}

void read_shape(const std::string& folder, const Properties& properties, Gpu& gpu) {
    gpu.cus = small(properties, "simd_count") / std::max(1U, small(properties, "simd_per_cu", 4));
    gpu.arrays_per_engine = std::max(1U, small(properties, "simd_arrays_per_engine", 1));
    gpu.engines = small(properties, "array_count") / gpu.arrays_per_engine;
    gpu.xccs = std::max(1U, small(properties, "num_xcc", 1));
    gpu.pairs = gpu.gfx >= kFirstWithPairs;
    if (!plausible(gpu)) {  // masks by whole units are right all the same
        gpu.xccs = 1;
        gpu.engines = 1;
        gpu.arrays_per_engine = 1;
    }
    const unsigned arrays = gpu.engines * gpu.arrays_per_engine;
    const unsigned most = std::clamp(small(properties, "cu_per_simd_array"), 1U, kMostCusOfArray);
    if (gpu.cus == arrays * most) {
        gpu.array_cus.assign(arrays, most);
        return;
    }
    gpu.array_cus = read_arrays(folder, properties, gpu, most);
    gpu.arrays_known = !gpu.array_cus.empty();
    if (!gpu.arrays_known) gpu.array_cus = fill_arrays(gpu, most);
}

std::optional<Gpu> read_node(const std::string& folder, unsigned node) {
    const auto id = read_file(folder + "/gpu_id");
    if (!id) return std::nullopt;
    Gpu gpu;
    gpu.node = node;
    gpu.gpu_id = static_cast<std::uint32_t>(strtoul(id->c_str(), nullptr, 10));
    const auto text = read_file(folder + "/properties");
    if (gpu.gpu_id == 0 || !text) return std::nullopt;
    const Properties properties = parse(*text);
    gpu.gfx = small(properties, "gfx_target_version");
    read_shape(folder, properties, gpu);
    if (gpu.cus == 0 || gpu.cus > kMostCus) return std::nullopt;
    read_location(properties, gpu);
    gpu.uuid = uuid_of(number(properties, "unique_id"));
    gpu.vram = read_vram(folder);
    if (const auto name = read_file(folder + "/name")) {
        gpu.name = name->substr(0, name->find('\n'));
    }
    return gpu;
}

}  // namespace

std::vector<unsigned> fill_arrays(const Gpu& gpu, unsigned most) {
    const std::size_t arrays = gpu.engines_per_xcc() * std::size_t{gpu.arrays_per_engine};
    const unsigned step = gpu.pairs ? 2 : 1;
    std::vector<unsigned> counts(arrays * gpu.xccs);
    for (unsigned xcc = 0; xcc < gpu.xccs; ++xcc) {
        unsigned left = gpu.cus / gpu.xccs + (xcc < gpu.cus % gpu.xccs ? 1 : 0);
        const unsigned deepest =
            std::max<unsigned>(most, (left + arrays - 1) / static_cast<unsigned>(arrays));
        for (unsigned cu = 0; cu < deepest && left > 0; cu += step) {
            // Arrays outside, engines inside, as mqd_symmetrically_map_cu_mask has it.
            for (unsigned array = 0; array < gpu.arrays_per_engine; ++array) {
                for (unsigned engine = 0; engine < gpu.engines_per_xcc(); ++engine) {
                    const unsigned taken = std::min(step, left);
                    counts[(xcc * gpu.engines_per_xcc() + engine) * gpu.arrays_per_engine +
                           array] += taken;
                    left -= taken;
                }
            }
        }
    }
    return counts;
}

std::string gfx_name(unsigned gfx) {
    std::array<char, 32> text{};
    snprintf(text.data(), text.size(), "gfx%u%x%x", gfx / 10000, gfx / 100 % 100, gfx % 100);
    return text.data();
}

std::string describe(const Gpu& gpu) {
    return "GPU " + std::to_string(gpu.place) + " (" + (gpu.name.empty() ? "" : gpu.name + ", ") +
           gfx_name(gpu.gfx) + ", " + std::to_string(gpu.cus) + " CUs)";
}

std::vector<Gpu> read_topology(const std::string& root) {
    std::vector<Gpu> gpus;
    const std::string nodes = root + "/nodes";
    for (const unsigned node : numbered_folders(nodes)) {
        auto gpu = read_node(nodes + "/" + std::to_string(node), node);
        if (!gpu) continue;
        gpu->index = static_cast<unsigned>(gpus.size());
        gpus.push_back(std::move(*gpu));
    }
    std::stable_sort(gpus.begin(), gpus.end(), [](const Gpu& a, const Gpu& b) {
        return std::tie(a.pci, a.partition) < std::tie(b.pci, b.partition);
    });
    for (std::size_t i = 0; i < gpus.size(); ++i) gpus[i].place = static_cast<unsigned>(i);
    return gpus;
}

}  // namespace ration::amd
