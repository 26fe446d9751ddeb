// What GPUs a node has, as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ration::cuda {

struct Device {
    std::string uuid;          // "GPU-..."; empty: NVML cannot open it
    std::string pci;           // "00000000:17:00.0"
    std::string name;          // "NVIDIA H100 80GB HBM3"
    std::uint64_t memory = 0;  // bytes; 0: unknown
    unsigned sms = 0;          // 0: unknown
};

struct MigInstance {
    std::string uuid;     // "MIG-..."
    std::string profile;  // "1g.10gb"; empty: unknown
    std::uint64_t memory = 0;
    unsigned sms = 0;
    std::size_t parent = 0;  // index into Inventory::devices
};

// Devices in the order of nvidia-smi, which is that of their PCI addresses.
struct Inventory {
    std::vector<Device> devices;
    std::vector<MigInstance> instances;
    std::string problem;  // why nothing could be read; else empty
};

// SMs of a GPU with `cores` CUDA cores; 0 if unknown. Cores per SM by compute capability: 64 for
// 6.0, 7.x and 8.0, else 128 (CUDA C++ Programming Guide, "Compute Capabilities", and measured:
// 9.0, 16896 cores, 132 SMs).
unsigned sms_of_cores(unsigned cores, int major, int minor);

// Reads it through NVML, which is loaded for this and unloaded again; costs about 13 ms of CPU time
// on a node with one GPU (measured: H100, driver 580.159.04). MIG instances are looked for only
// `with_mig`.
Inventory read_inventory(bool with_mig);

}  // namespace ration::cuda
