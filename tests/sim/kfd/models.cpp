#include "tests/sim/kfd/models.h"

#include <algorithm>
#include <iterator>

#include "tests/sim/node/text.h"

namespace sim::kfd {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// mi300x and mi100: listings of /sys/class/kfd from such machines. The others: data sheets and the
// kernel's limits. Which CUs are harvested differs from piece to piece; here see active_cus().
// clang-format off
constexpr Model kModels[] = {
    // key       name                      asic              gfx     XCC SE SA CU harv PCI     SDMA VRAM
    {"mi210",    "AMD Instinct MI210",     "aldebaran",      90010,  1,  8, 1, 14, 8,  0x740f, 2,   64 * kGiB},
    {"mi300x",   "AMD Instinct MI300X",    "aqua_vanjaram",  90402,  8,  4, 1, 10, 2,  0x74a1, 2,  192 * kGiB},
    {"mi50",     "AMD Instinct MI50",      "vega20",         90006,  1,  4, 1, 16, 4,  0x66a1, 2,   32 * kGiB},
    {"mi100",    "AMD Instinct MI100",     "arcturus",       90008,  1,  8, 1, 16, 8,  0x738c, 2,   32 * kGiB},
    {"navi21",   "AMD Radeon RX 6900 XT",  "sienna_cichlid", 100300, 1,  4, 2, 10, 0,  0x73bf, 2,   16 * kGiB},
    {"navi21xl", "AMD Radeon RX 6800 XT",  "sienna_cichlid", 100300, 1,  4, 2, 10, 8,  0x73bf, 2,   16 * kGiB},
};
struct Mode { const char* name; unsigned gpus; };
constexpr Mode kModes[] = {{"spx", 1}, {"dpx", 2}, {"qpx", 4}, {"cpx", 8}};
// clang-format on

const Model* find_model(const std::string& key) {
    const auto* found = std::find_if(std::begin(kModels), std::end(kModels),
                                     [&](const Model& model) { return key == model.key; });
    return found == std::end(kModels) ? nullptr : found;
}

unsigned find_mode(const std::string& name) {
    const auto* found = std::find_if(std::begin(kModes), std::end(kModes),
                                     [&](const Mode& mode) { return name == mode.name; });
    return found == std::end(kModes) ? 0 : found->gpus;
}

// Units are taken away from the last array backwards, one each, until all that are harvested are.
std::vector<std::vector<unsigned>> active_cus(const Model& model) {
    std::vector<std::vector<unsigned>> cus(
        model.engines, std::vector<unsigned>(model.arrays, model.cus_per_array));
    const unsigned unit = model.pairs() ? 2 : 1;
    const unsigned arrays = model.engines * model.arrays;
    for (unsigned taken = 0; taken < model.harvested / unit; ++taken) {
        const unsigned place = arrays - 1 - taken % arrays;
        cus[place % model.engines][place / model.engines] -= unit;
    }
    return cus;
}

void add_logical(Node& node, const Model& model, unsigned board, unsigned partition,
                 unsigned partitions) {
    const auto index = static_cast<unsigned>(node.gpus.size());
    // The kernel: location_id's bits 28-31 hold the partition (kfd_topology_add_device()).
    const unsigned location = (0x10 + board) << 8 | (partitions > 1 ? partition << 28 : 0);
    node.gpus.push_back({&model, index, 0x1001 + index, 128 + index, location,
                         0x5a17000000000000U + 0x100 * (board + 1) + partition,
                         model.vram / partitions,
                         Layout{model.xccs / partitions, model.pairs(), active_cus(model)}});
}

std::string add_board(Node& node, unsigned board, const std::string& description) {
    const std::vector<std::string> parts = split(description, '/');
    const Model* model = find_model(trim(parts[0]));
    if (model == nullptr) return "no such model: " + parts[0];
    const unsigned partitions = parts.size() > 1 ? find_mode(trim(parts[1])) : 1;
    if (parts.size() > 2 || partitions == 0 || model->xccs % partitions != 0) {
        return "no such partition mode: " + description;
    }
    for (unsigned partition = 0; partition < partitions; ++partition) {
        add_logical(node, *model, board, partition, partitions);
    }
    return "";
}

}  // namespace

const Gpu* Node::by_gpu_id(unsigned gpu_id) const {
    const auto found = std::find_if(gpus.begin(), gpus.end(),
                                    [&](const Gpu& gpu) { return gpu.gpu_id == gpu_id; });
    return found == gpus.end() ? nullptr : &*found;
}

Node parse_node(const std::string& description) {
    Node node;
    if (trim(description) == "none") return node;
    unsigned board = 0;
    for (const std::string& item : split(description, ',')) {
        const std::string error = add_board(node, board++, item);
        if (!error.empty()) return {{}, "SIM_KFD_GPUS: " + error};
    }
    return node;
}

}  // namespace sim::kfd
