// What AMD GPUs a node has, as the kernel's KFD driver tells it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ration::amd {

// One KFD node that computes: a GPU, or one partition of it in the modes DPX, QPX and CPX.
struct Gpu {
    unsigned node = 0;   // number of the KFD node
    unsigned index = 0;  // among the KFD nodes that are GPUs: a number in ROCR_VISIBLE_DEVICES
    unsigned place = 0;  // in PCI order: a number in a policy
    std::uint32_t gpu_id = 0;  // as KFD ioctls name it
    std::string name;          // "aldebaran"
    std::string uuid;          // "GPU-<16 hex digits>"; empty: the part has none
    std::string pci;           // "0000:c1:00.0"; partitions of one GPU have the same
    unsigned partition = 0;    // which partition of the GPU
    unsigned gfx = 0;          // gfx_target_version: 90010 is gfx90a
    unsigned cus = 0;          // that work, over all XCCs
    unsigned engines = 0;      // shader engines, over all XCCs
    unsigned arrays_per_engine = 1;
    unsigned xccs = 1;       // accelerator complex dies
    bool pairs = false;      // CUs come as work-group processors of two (gfx10 and newer)
    std::uint64_t vram = 0;  // bytes; 0: unknown
    // CUs of each shader array, by XCC, engine of the XCC, array. Where parts of a chip are
    // switched off and the kernel does not tell which, the last arrays are taken to lack CUs.
    std::vector<unsigned> array_cus;
    bool arrays_known = true;  // array_cus is what the kernel tells

    unsigned engines_per_xcc() const { return engines / xccs; }
    unsigned cus_of_array(unsigned xcc, unsigned engine, unsigned array) const {
        return array_cus[(xcc * engines_per_xcc() + engine) * arrays_per_engine + array];
    }
};

inline constexpr const char* kTopologyRoot = "/sys/class/kfd/kfd/topology";

// In the order of the PCI addresses. Empty where there is no amdgpu driver. GPUs that the process's
// device cgroup hides are not listed, as ROCr does not list them either.
std::vector<Gpu> read_topology(const std::string& root = kTopologyRoot);

// "gfx90a" for 90010.
std::string gfx_name(unsigned gfx);

// "GPU 0 (aldebaran, gfx90a, 104 CUs)": for messages.
std::string describe(const Gpu& gpu);

// CUs of each array if `cus` of them are left of arrays with `most` each, the last arrays lacking
// some: as the bits of a mask are dealt. `most` is raised where the CUs do not fit.
std::vector<unsigned> fill_arrays(const Gpu& gpu, unsigned most);

}  // namespace ration::amd
