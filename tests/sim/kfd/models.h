// The GPUs of the simulated node, as SIM_KFD_GPUS describes them.
//
//   SIM_KFD_GPUS = GPU { "," GPU }          default "mi210"; "none" is a node without a GPU
//   GPU          = MODEL [ "/" PARTITION ]
//   MODEL        = "mi210" | "mi300x" | "mi100" | "mi50" | "navi21" | "navi21xl"
//   PARTITION    = "spx" | "dpx" | "qpx" | "cpx"   of an MI300X: 1, 2, 4 or 8 logical GPUs
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/kfd/cu_mask.h"

namespace sim::kfd {

struct Model {
    const char* key;
    const char* name;  // as amdgpu.ids has it
    const char* asic;  // as the topology has it
    unsigned gfx;      // gfx_target_version: major * 10000 + minor * 100 + step
    unsigned xccs;
    unsigned engines;        // of one XCC
    unsigned arrays;         // of one engine
    unsigned cus_per_array;  // with those that don't work
    unsigned harvested;      // CUs of one XCC that don't work
    unsigned device_id;      // PCI
    unsigned sdma_engines;   // of one XCC's share, as the topology has it
    std::uint64_t vram;      // bytes

    bool pairs() const { return gfx >= 100000; }
};

// A node of the topology: a GPU, or a partition of one.
struct Gpu {
    const Model* model;
    unsigned index;  // among the GPUs; the topology's node is one more, since node 0 is the CPU
    unsigned gpu_id;
    unsigned render_minor;
    unsigned location;  // PCI bus, device and function; of a partition, its number above bit 28
    std::uint64_t unique_id;
    std::uint64_t vram;
    Layout layout;

    unsigned node() const { return index + 1; }
};

struct Node {
    std::vector<Gpu> gpus;
    std::string error;  // why the description can't be used; empty if it can

    const Gpu* by_gpu_id(unsigned gpu_id) const;
};

Node parse_node(const std::string& description);

}  // namespace sim::kfd
