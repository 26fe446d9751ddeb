// ROCR_VISIBLE_DEVICES and what HIP narrows it by, as their readers read them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "shim/amd/topology.h"
#include "shim/policy/search.h"

namespace ration::amd {

inline constexpr const char* kVisibleVariable = "ROCR_VISIBLE_DEVICES";
inline constexpr const char* kHipVariable = "HIP_VISIBLE_DEVICES";
inline constexpr const char* kHipOtherVariable = "CUDA_VISIBLE_DEVICES";  // if the former is empty
inline constexpr const char* kOpenClVariable = "GPU_DEVICE_ORDINAL";

// GPUs in the order in which a runtime lists them: places in PCI order.
struct Visible {
    bool restricted = false;  // false: the variable is not set
    std::vector<std::size_t> gpus;
};

// What ROCr makes visible of `gpus`, which are in PCI order. Entries count up to the first one that
// names no GPU or one that was named before: a number, base 0 and cut to 32 bits, in the order of
// the KFD nodes, or the beginning, of 5 characters at least, of a UUID in either case. Blanks
// around an entry do not count. Nothing is visible if the value is empty. (RvdFilter in ROCr's
// amd_filter_device.cpp; run: ROCr 5.2.3.)
Visible read_rocr_list(const std::optional<std::string>& value, const std::vector<Gpu>& gpus);

// What HIP keeps of that. Entries count up to the first one that is not exactly a number in the
// list `rocr` (or, for ROCm 6 and newer, a UUID of it); an empty value is as none. (Device::init in
// clr's rocdevice.cpp.)
Visible read_hip_list(const std::optional<std::string>& value, const Visible& rocr,
                      const std::vector<Gpu>& gpus);

// `name` as this process was given it, before ration narrowed it in an ancestor (host::given_list).
std::optional<std::string> given_value(const char* name, const policy::Environment& environment);

// What HIP reads: HIP_VISIBLE_DEVICES, else CUDA_VISIBLE_DEVICES; nullopt if neither narrows.
struct HipList {
    std::string variable;
    std::string value;
};
std::optional<HipList> given_hip_list(const policy::Environment& environment);

// The GPUs that a HIP program was given, and the variables that say so:
// "ROCR_VISIBLE_DEVICES=2,3, HIP_VISIBLE_DEVICES=0".
Visible given_devices(const policy::Environment& environment, const std::vector<Gpu>& gpus);
std::string describe_lists(const policy::Environment& environment);

// How ROCR_VISIBLE_DEVICES has to name a GPU: by UUID, by number if UUIDs are missing or not
// unique, as with partitions of one GPU on older kernels.
std::string rocr_name(const Gpu& gpu, const std::vector<Gpu>& gpus);

}  // namespace ration::amd
