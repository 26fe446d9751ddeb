// Modules and the kernels in them.
#include "tests/sim/driver/module.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/occupancy.h"

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

bool looks_like_ptx(const char* image) {
    return std::strncmp(image, "//", 2) == 0 || image[0] == '.' || image[0] == '\n';
}

}  // namespace

bool sim::is_function(CUfunction function) {
    return std::any_of(modules().begin(), modules().end(), [function](CUmodule module) {
        return std::any_of(module->functions.begin(), module->functions.end(),
                           [function](auto& each) { return &each.second == function; });
    });
}

namespace {

// Runs `use()` under the lock if the handle is a function.
template <typename Use>
CUresult on_function(const char* symbol, CUfunction function, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (!sim::is_function(function)) return call.done(CUDA_ERROR_INVALID_HANDLE);
    return call.done(use());
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
    *function = &module->functions.try_emplace(name, CUfunc_st{name, module}).first->second;
    return call.done(CUDA_SUCCESS, "name=%s", name);
}

CUresult cuFuncGetModule(CUmodule* module, CUfunction function) {
    return on_function("cuFuncGetModule", function, [=] {
        if (module == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *module = function->module;
        return CUDA_SUCCESS;
    });
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    return on_function("cuFuncSetAttribute", function, [=] {
        if (attribute == CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED) {
            function->large_clusters = value != 0;
        }
        return attribute < CU_FUNC_ATTRIBUTE_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
    return on_function("cuFuncGetAttribute", function, [=] {
        if (value == nullptr || attribute >= CU_FUNC_ATTRIBUTE_MAX) return CUDA_ERROR_INVALID_VALUE;
        *value = 0;
        if (attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK) {
            *value = static_cast<int>(sim::kMostThreads);
        } else if (attribute == CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED) {
            *value = function->large_clusters ? 1 : 0;
        }
        return CUDA_SUCCESS;
    });
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
