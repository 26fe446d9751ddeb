// The GPUs of the simulated node, as SIM_CUDA_GPUS describes them: shared by the driver and by
// NVML, so that UUIDs, PCI ids and MIG instances agree.
//
//   SIM_CUDA_GPUS   = GPU { "," GPU }      default "h100"; "none" is a node without a GPU
//   GPU             = MODEL { "/" PROFILE }   with profiles the GPU is in MIG mode
//   MODEL           = "h100" | "h200" | "a100" | "l4"
//   PROFILE         = for example "3g.40gb"
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sim {

struct MigInstance {
    std::string profile;  // "3g.40gb"
    std::string uuid;     // "MIG-..."
    int slot;             // NVML's index: the first compute slice it takes, hence the gaps
    int gpu_instance;
    int compute_instance;
    int slices;
    int sm_count;
    std::uint64_t memory;  // bytes
};

struct Gpu {
    std::string name;
    std::string uuid;  // "GPU-..."
    int sm_count;
    int cores_per_sm;
    std::uint64_t memory;       // bytes, as the driver says
    std::uint64_t nvml_memory;  // bytes, as NVML says: what the driver keeps for itself is in it
    int major, minor;           // compute capability
    int pci_bus;
    unsigned pci_device_id;  // device << 16 | vendor
    bool can_mig;
    int speed;  // rank among models, for CUDA's own order
    std::vector<MigInstance> instances;
    bool mig_mode() const { return !instances.empty(); }
};

struct Node {
    std::vector<Gpu> gpus;
    std::string error;  // why the description can't be used; empty if it can
};

Node parse_node(const std::string& description);
// From the environment, as it is now.
Node read_node();

// Positions in Node::gpus as CUDA numbers them: fastest first, or as the PCI bus does with
// CUDA_DEVICE_ORDER=PCI_BUS_ID (which is how NVML numbers them always).
std::vector<std::size_t> cuda_order(const Node& node);

// 16 bytes of "GPU-xxxxxxxx-xxxx-..." or "MIG-...".
void uuid_bytes(const std::string& uuid, unsigned char bytes[16]);

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

}  // namespace sim
