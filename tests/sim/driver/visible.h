// CUDA_VISIBLE_DEVICES as the real driver reads it.
#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/node/node.h"

namespace sim {

struct VisibleDevice {
    std::size_t gpu;
    std::optional<std::size_t> instance;  // of a GPU in MIG mode
    bool operator==(const VisibleDevice&) const = default;
};

// `list` is null if the variable isn't set. CUDA_ERROR_NO_DEVICE if nothing is left,
// CUDA_ERROR_INVALID_DEVICE if a device comes twice.
CUresult visible_devices(const Node& node, const char* list, std::vector<VisibleDevice>& devices);

}  // namespace sim
