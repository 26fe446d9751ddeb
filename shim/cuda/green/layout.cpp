#include "shim/cuda/green/layout.h"

#include <algorithm>

namespace ration::cuda::green {
namespace {

constexpr unsigned kMostGroups = 256;  // more than any part has: 74 pairs on a B200

bool complete(const Calls& calls) {
    return calls.cuDeviceGetDevResource != nullptr &&
           calls.cuDevSmResourceSplitByCount != nullptr &&
           calls.cuDevResourceGenerateDesc != nullptr && calls.cuGreenCtxCreate != nullptr &&
           calls.cuGreenCtxDestroy != nullptr && calls.cuGreenCtxGetDevResource != nullptr &&
           calls.cuCtxFromGreenCtx != nullptr;
}

Refusal refuse(std::string line) { return {CUDA_ERROR_NOT_PERMITTED, std::move(line)}; }

Refusal too_old(const Calls& calls) {
    return refuse("mechanism \"green\" needs a driver of CUDA 12.4 or newer, and this one is of " +
                  version_text(calls) +
                  ": update the driver, or ask for share or sm alone, which "
                  "mechanism \"mps\" keeps");
}

Refusal not_split(const Layout& layout, CUresult code) {
    return refuse("the driver does not divide the SMs of " + layout.uuid + " (error " +
                  std::to_string(code) +
                  "): it does so for the whole device only, and the MPS daemon has a percentage "
                  "of its own, or the device is a MIG instance; restart the daemon without "
                  "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE and set_default_active_thread_percentage, or "
                  "ask for share or sm alone, which mechanism \"mps\" keeps");
}

}  // namespace

unsigned Layout::size() const {
    unsigned largest = 0;
    for (const CUdevResource& group : groups) largest = std::max(largest, group.sm.smCount);
    return largest;
}

Or<Layout> read_layout(const Calls& calls, CUdevice device, const std::string& uuid,
                       policy::SmGranularity granularity) {
    if (!complete(calls)) return too_old(calls);
    Layout layout;
    layout.uuid = uuid;
    if (granularity == policy::SmGranularity::kFine) {
        layout.flags = CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING;
    }
    CUdevResource whole{};
    CUresult code = calls.cuDeviceGetDevResource(device, &whole, CU_DEV_RESOURCE_TYPE_SM);
    if (code != CUDA_SUCCESS) return not_split(layout, code);
    layout.total = whole.sm.smCount;
    layout.groups.resize(kMostGroups);
    unsigned count = kMostGroups;
    CUdevResource rest{};
    // At least 0 SMs each: the smallest groups that there are.
    code = calls.cuDevSmResourceSplitByCount(layout.groups.data(), &count, &whole, &rest,
                                             layout.flags, 0);
    if (code != CUDA_SUCCESS) return not_split(layout, code);
    layout.groups.resize(std::min(count, kMostGroups));
    if (layout.size() == 0) return not_split(layout, code);
    layout.rest = layout.total;
    for (const CUdevResource& group : layout.groups) {
        layout.rest -= std::min(layout.rest, group.sm.smCount);
    }
    return layout;
}

std::string version_text(const Calls& calls) {
    int version = 0;
    if (calls.cuDriverGetVersion == nullptr || calls.cuDriverGetVersion(&version) != CUDA_SUCCESS) {
        return "an unknown version";
    }
    constexpr int kMajor = 1000;  // 12020 is CUDA 12.2
    constexpr int kMinor = 10;
    return "CUDA " + std::to_string(version / kMajor) + "." +
           std::to_string(version % kMajor / kMinor);
}

}  // namespace ration::cuda::green
