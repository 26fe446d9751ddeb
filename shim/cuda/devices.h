// From what a policy writes of devices to devices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/inventory.h"
#include "shim/cuda/refusal.h"
#include "shim/cuda/visible.h"
#include "shim/policy/policy.h"

namespace ration::cuda {

// What bounds the choice.
struct Bounds {
    std::optional<std::string> given;  // given_list()
    std::optional<std::string> order;  // CUDA_DEVICE_ORDER
    bool override_visible = false;     // the policy may leave the given list
};

// Refused: which devices the numbers in the given list mean is not clear, because the driver puts
// the fastest first and this node's GPUs are of different models.
std::optional<Refusal> unclear_order(const Inventory& inventory, const Bounds& bounds);

// Indices into Inventory::devices of what `selectors` name, in their order. Refused: an index or
// UUID that this node does not have, a UUID's beginning that fits several, a device that NVML
// cannot open, one named twice, and one outside the given list. Each refusal lists what there is.
Or<std::vector<std::size_t>> select_devices(const std::vector<policy::DeviceSelector>& selectors,
                                            const Inventory& inventory, const Bounds& bounds);

// Index into Inventory::instances of the MIG instance `uuid`, which may be cut short. Refused: one
// that is not there, with a list of those that are, and one that is neither itself nor by its GPU
// in the given list.
Or<std::size_t> select_instance(const std::string& uuid, const Inventory& inventory,
                                const Bounds& bounds);

}  // namespace ration::cuda
