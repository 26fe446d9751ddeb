#include "tests/unit/green_driver.h"

#include <algorithm>

namespace ration::cuda::green {
namespace {

CUcontext handle(std::uintptr_t number) { return reinterpret_cast<CUcontext>(number); }

unsigned described = 0;
std::uintptr_t last_home = 0;

CUresult split(CUdevResource* groups, unsigned* count, const CUdevResource* input,
               CUdevResource* rest, unsigned flags, unsigned) {
    FakeGreen& fake = fake_green();
    if (fake.split != CUDA_SUCCESS) return fake.split;
    const bool fine = flags == CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING;
    const unsigned size = fine ? 2 : 8;
    const unsigned most = fine ? fake.total : fake.grouped;
    *count = std::min(*count, most / size);
    for (unsigned i = 0; i < *count; ++i) {
        groups[i].type = CU_DEV_RESOURCE_TYPE_SM;
        groups[i].sm.smCount = size;
    }
    rest->sm.smCount = input->sm.smCount - *count * size;
    return CUDA_SUCCESS;
}

}  // namespace

FakeGreen& fake_green() {
    static FakeGreen fake;
    return fake;
}

CUcontext fake_primary(CUdevice device) {
    return handle(0x1000 + static_cast<std::uintptr_t>(device));
}

Calls fake_green_calls() {
    fake_green() = FakeGreen{};
    Calls calls;
    calls.cuDriverGetVersion = [](int* version) {
        *version = fake_green().version;
        return CUDA_SUCCESS;
    };
    calls.cuDeviceGetDevResource = [](CUdevice, CUdevResource* resource, CUdevResourceType) {
        *resource = {};
        resource->sm.smCount = fake_green().total;
        return fake_green().query;
    };
    calls.cuDevSmResourceSplitByCount = &split;
    calls.cuDevResourceGenerateDesc = [](CUdevResourceDesc* description, CUdevResource* resources,
                                         unsigned count) {
        described = 0;
        for (unsigned i = 0; i < count; ++i) described += resources[i].sm.smCount;
        *description = nullptr;
        return count == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    };
    calls.cuGreenCtxCreate = [](CUgreenCtx* green, CUdevResourceDesc, CUdevice, unsigned flags) {
        if (flags != CU_GREEN_CTX_DEFAULT_STREAM) return CUDA_ERROR_INVALID_VALUE;
        if (fake_green().create != CUDA_SUCCESS) return fake_green().create;
        fake_green().calls.emplace_back("create");
        ++fake_green().greens;
        *green = reinterpret_cast<CUgreenCtx>(0x2000 + ++last_home);
        return CUDA_SUCCESS;
    };
    calls.cuGreenCtxDestroy = [](CUgreenCtx) {
        if (fake_green().at_destroy) fake_green().at_destroy();
        fake_green().calls.emplace_back("destroy");
        --fake_green().greens;
        return CUDA_SUCCESS;
    };
    calls.cuGreenCtxGetDevResource = [](CUgreenCtx, CUdevResource* resource, CUdevResourceType) {
        resource->sm.smCount = fake_green().granted != 0 ? fake_green().granted : described;
        return CUDA_SUCCESS;
    };
    calls.cuCtxFromGreenCtx = [](CUcontext* context, CUgreenCtx green) {
        *context = reinterpret_cast<CUcontext>(green);
        return CUDA_SUCCESS;
    };
    calls.cuDevicePrimaryCtxRetain = [](CUcontext* context, CUdevice device) {
        if (fake_green().at_retain) fake_green().at_retain();
        if (fake_green().retain != CUDA_SUCCESS) return fake_green().retain;
        fake_green().calls.emplace_back("retain");
        ++fake_green().uses;
        *context = fake_primary(device);
        return CUDA_SUCCESS;
    };
    calls.cuDevicePrimaryCtxRelease_v2 = [](CUdevice) {
        FakeGreen& fake = fake_green();
        fake.calls.emplace_back("release");
        if (fake.uses == 0) {
            fake.spoilt |= fake.greens != 0;
            return fake.greens != 0 ? CUDA_ERROR_NOT_PERMITTED : CUDA_ERROR_INVALID_CONTEXT;
        }
        --fake.uses;
        return CUDA_SUCCESS;
    };
    return calls;
}

}  // namespace ration::cuda::green
