// From a partition to what ROCr and the kernel driver are to be told.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/amd/refusal.h"
#include "shim/amd/share.h"
#include "shim/host/environment.h"
#include "shim/policy/policy.h"
#include "shim/policy/search.h"

namespace ration::amd {

// What the plan depends on outside the policy.
struct Surroundings {
    policy::Environment environment;
    std::function<std::vector<Gpu>()> topology;  // read_topology(); asked once
};

// A GPU that the process will see, and what it may use of it.
struct DeviceLimit {
    Gpu gpu;
    Mask mask;                            // for every compute queue; empty: no limit
    unsigned cus = 0;                     // that the mask enables, or all
    std::optional<std::uint64_t> memory;  // bytes of VRAM, whole MiB
    Mask hip_mask = {};  // what ROC_GLOBAL_CU_MASK leaves HIP's streams of that; empty: all, or it
                         // cannot be told
};

// What the slots of the partition's pool get of one of its GPUs.
struct PoolUse {
    unsigned place = 0;         // of the GPU, in PCI order
    std::vector<unsigned> cus;  // by slot; 0: the slot is not on this GPU
    unsigned idle = 0;          // CUs that nobody gets
};

struct Plan {
    std::vector<DeviceLimit> devices;      // in the order of the list that ROCr will show
    std::vector<std::size_t> hip_devices;  // HIP's devices, as places in `devices`
    std::vector<DeviceLimit> hidden;  // where the policy names no device, what holds on the GPUs
                                      // that are not in that list: a program may change the list
                                      // and initialise ROCr again; less those on which this
                                      // cannot be had
    host::Edits lasting;  // ROCR_VISIBLE_DEVICES, and lists that HIP and OpenCL count within it;
                          // they stay, so that what the program asks later agrees
    std::optional<double> share;  // what the policy asks, as a percentage
    std::string asked;            // asked_text()
    std::vector<PoolUse> pool;    // of a pool's slot with a share or a number of CUs
    bool hip_masks = false;  // ROC_GLOBAL_CU_MASK is set: HIP masks its streams too, and counts CUs
                             // by that variable
    std::vector<std::string> notes;

    // Those of `devices`, then those that are hidden.
    std::vector<DeviceLimit> limits() const;
    // Whether queues have to get masks.
    bool masks() const;
};

// Pure but for `surroundings`. HSA_CU_MASK and ROC_GLOBAL_CU_MASK of the process narrow the plan,
// or are noted where they narrow HIP alone. `pool`: the one that the partition is a slot of, or
// null. Refused: devices that are not there or not allowed, fewer CUs than can be had, masks that
// the GPU cannot have, a pool that asks for more than there is, memory below 1 MiB, sizes and
// mechanisms that are NVIDIA's. A node without AMD GPUs has a plan without devices.
Or<Plan> make_plan(const policy::Partition& partition, const policy::Pool* pool,
                   const Surroundings& surroundings);

// "25 %", "26 CUs", `cu_mask = { 0 = "0x0f" }`, "all CUs": what a policy asks, for people.
std::string asked_text(const policy::Partition& partition);

}  // namespace ration::amd
