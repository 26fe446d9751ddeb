#include "shim/cuda/green/home.h"

#include "shim/cuda/green/rounding.h"

namespace ration::cuda::green {
namespace {

Refusal failed(const Layout& layout, const char* call, CUresult code) {
    return {code, std::string("the driver makes no green context on ") + layout.uuid + ": " + call +
                      " answered error " + std::to_string(code) + ": " +
                      (code == CUDA_ERROR_OUT_OF_MEMORY
                           ? "the device's memory is used up, and a context takes about 500 MiB"
                           : "run `ration doctor`")};
}

Refusal other_sms(const Layout& layout, unsigned granted, unsigned asked) {
    return {CUDA_ERROR_NOT_PERMITTED, "the driver grants " + std::to_string(granted) + " SMs of " +
                                          layout.uuid + ", but " + std::to_string(asked) +
                                          " were asked: run `ration doctor`"};
}

}  // namespace

Or<Home> make_home(const Calls& calls, CUdevice device, const Layout& layout,
                   const std::vector<unsigned>& groups) {
    std::vector<CUdevResource> chosen;
    chosen.reserve(groups.size());
    for (const unsigned group : groups) chosen.push_back(layout.groups[group]);
    CUdevResourceDesc description{};
    CUresult code = calls.cuDevResourceGenerateDesc(&description, chosen.data(),
                                                    static_cast<unsigned>(chosen.size()));
    if (code != CUDA_SUCCESS) return failed(layout, "cuDevResourceGenerateDesc", code);
    Home home;
    code = calls.cuGreenCtxCreate(&home.green, description, device, CU_GREEN_CTX_DEFAULT_STREAM);
    if (code != CUDA_SUCCESS) return failed(layout, "cuGreenCtxCreate", code);
    CUdevResource granted{};
    code = calls.cuGreenCtxGetDevResource(home.green, &granted, CU_DEV_RESOURCE_TYPE_SM);
    if (code == CUDA_SUCCESS) code = calls.cuCtxFromGreenCtx(&home.context, home.green);
    const unsigned asked = sms_of(layout, groups);
    if (code == CUDA_SUCCESS && granted.sm.smCount == asked) return home;
    calls.cuGreenCtxDestroy(home.green);
    if (code != CUDA_SUCCESS) return failed(layout, "cuCtxFromGreenCtx", code);
    return other_sms(layout, granted.sm.smCount, asked);
}

}  // namespace ration::cuda::green
