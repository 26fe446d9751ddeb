// CUDA_VISIBLE_DEVICES as the driver reads it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/inventory.h"

namespace ration::cuda {

struct Target {
    enum class Kind { kGpu, kMig };
    Kind kind = Kind::kGpu;
    std::size_t index = 0;  // into Inventory::devices or ::instances
    bool operator==(const Target&) const = default;
};

// What a value makes visible. Measured (H100, driver 580.159.04): entries are read up to the first
// one that names no device; a number may have blanks around it and is read as by strtol(3) with
// base 0 ("0x0" is device 0, and so is "0abc"); a UUID may be cut short, but not to its "GPU-";
// letters count as written; the empty value hides every device; a device named twice makes
// cuInit answer CUDA_ERROR_INVALID_DEVICE. Devices that NVML cannot open are not counted: the
// driver has no numbers for those that this process may not use.
struct Visible {
    bool restricted = false;  // false: the variable is not set, every device is visible
    bool repeated = false;
    std::vector<Target> targets;
};
Visible read_visible(const std::optional<std::string>& value, const Inventory& inventory);

// Whether a number in the value is the device's index in PCI order: CUDA_DEVICE_ORDER says so, or
// all devices are of one model. (Otherwise the driver puts the fastest first.)
bool numbers_follow_pci(const std::optional<std::string>& device_order, const Inventory& inventory);

// Whether the value holds a number.
bool has_numbers(const std::optional<std::string>& value);

// The variables by which a process knows what its parent was given before ration narrowed it
// (host::given_list).
inline constexpr const char* kVisibleVariable = "CUDA_VISIBLE_DEVICES";
inline constexpr const char* kGivenVariable = "RATION_GIVEN_CUDA_VISIBLE_DEVICES";
inline constexpr const char* kNarrowedVariable = "RATION_NARROWED_CUDA_VISIBLE_DEVICES";

}  // namespace ration::cuda
