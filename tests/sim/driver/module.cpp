// Modules and launches. One kernel does something: `smid_mask(unsigned* mask)` sets the bit of
// every SM that it ran on, so that a program can count the SMs it really has.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

struct CUfunc_st {
    std::string name;
};

struct CUmod_st {
    std::string text;  // PTX; empty for any other image
    std::map<std::string, CUfunc_st> functions;
};

using sim::Call;
using sim::Driver;

namespace {

std::set<CUmodule>& modules() {  // guarded by the driver's mutex
    static auto* all = new std::set<CUmodule>;
    return *all;
}

bool is_function(CUfunction function) {
    return std::any_of(modules().begin(), modules().end(), [function](CUmodule module) {
        return std::any_of(module->functions.begin(), module->functions.end(),
                           [function](auto& each) { return &each.second == function; });
    });
}

bool looks_like_ptx(const char* image) {
    return std::strncmp(image, "//", 2) == 0 || image[0] == '.' || image[0] == '\n';
}

CUresult mark_sms(const Driver& driver, CUcontext context, unsigned blocks, void** parameters) {
    if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUdeviceptr mask{};
    std::memcpy(&mask, parameters[0], sizeof mask);
    const unsigned sms = std::min(static_cast<unsigned>(context->usable_sms), blocks);
    if (!driver.covers(mask, (sms + 31) / 32 * sizeof(unsigned))) {
        return CUDA_ERROR_ILLEGAL_ADDRESS;
    }
    auto* words = reinterpret_cast<unsigned*>(mask);
    for (unsigned sm = 0; sm < sms; ++sm) words[sm / 32] |= 1U << (sm % 32);
    return CUDA_SUCCESS;
}

CUresult launch(const char* symbol, CUfunction function, const unsigned grid[3],
                const unsigned block[3], void** parameters) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context == nullptr) return call.done(result);
    if (!is_function(function)) return call.done(CUDA_ERROR_INVALID_HANDLE);
    const unsigned blocks = grid[0] * grid[1] * grid[2];
    const unsigned threads = block[0] * block[1] * block[2];
    if (blocks == 0 || threads == 0 || threads > 1024) return call.done(CUDA_ERROR_INVALID_VALUE);
    if (function->name == "smid_mask") result = mark_sms(*driver, context, blocks, parameters);
    return call.done(result, "kernel=%s blocks=%u threads=%u sms=%d", function->name.c_str(),
                     blocks, threads, context->usable_sms);
}

}  // namespace

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    Call call("cuModuleLoadData");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    if (driver->usable_context(result) == nullptr) return call.done(result);
    if (module == nullptr || image == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    const char* text = static_cast<const char*>(image);
    *module = new CUmod_st{looks_like_ptx(text) ? text : "", {}};
    modules().insert(*module);
    return call.done(CUDA_SUCCESS);
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    Call call("cuModuleGetFunction");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (modules().count(module) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    if (function == nullptr || name == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    if (!module->text.empty() &&
        module->text.find(".entry " + std::string(name)) == std::string::npos) {
        return call.done(CUDA_ERROR_NOT_FOUND, "name=%s", name);
    }
    *function = &module->functions.try_emplace(name, CUfunc_st{name}).first->second;
    return call.done(CUDA_SUCCESS, "name=%s", name);
}

CUresult cuModuleUnload(CUmodule module) {
    Call call("cuModuleUnload");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (modules().erase(module) == 0) return call.done(CUDA_ERROR_INVALID_HANDLE);
    delete module;
    return call.done(CUDA_SUCCESS);
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
    Call call("cuModuleGetLoadingMode");
    if (call.driver() == nullptr) return call.done();
    if (mode == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *mode = CU_MODULE_LAZY_LOADING;
    return call.done(CUDA_SUCCESS);
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned, CUstream,
                        void** parameters, void**) {
    const unsigned grid[] = {grid_x, grid_y, grid_z};
    const unsigned block[] = {block_x, block_y, block_z};
    return launch("cuLaunchKernel", function, grid, block, parameters);
}

CUresult cuLaunchKernel_ptsz(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                             unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                             CUstream, void** parameters, void**) {
    const unsigned grid[] = {grid_x, grid_y, grid_z};
    const unsigned block[] = {block_x, block_y, block_z};
    return launch("cuLaunchKernel_ptsz", function, grid, block, parameters);
}
