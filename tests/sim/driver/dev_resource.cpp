// The SMs of devices and contexts as resources: asked for, split, and put together to a
// description.
#include <algorithm>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/green.h"
#include "tests/sim/driver/resource.h"

using sim::Call;
using sim::Driver;
using sim::SmResource;

namespace {

constexpr unsigned kKnownFlags = CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING |
                                 CU_DEV_SM_RESOURCE_SPLIT_MAX_POTENTIAL_CLUSTER_SIZE;

// Runs `find(driver, resource)` for an entry point that answers a resource.
template <typename Find>
CUresult get(const char* symbol, CUdevResource* out, CUdevResourceType type, Find&& find) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    SmResource resource;
    const CUresult result = find(*driver, resource);
    if (result != CUDA_SUCCESS) return call.done(result);
    if (type != CU_DEV_RESOURCE_TYPE_SM) return call.done(CUDA_ERROR_INVALID_RESOURCE_TYPE);
    if (out == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *out = sim::pack(resource);
    return call.done(CUDA_SUCCESS, "sms=%u", out->sm.smCount);
}

CUresult of_context(const Driver& driver, CUcontext context, SmResource& resource) {
    if (driver.contexts.count(context) == 0) return CUDA_ERROR_INVALID_CONTEXT;
    resource = {context->device, 0, context->sms, context->grain};
    return CUDA_SUCCESS;
}

CUresult split(Driver& driver, CUdevResource* groups, unsigned& count, const CUdevResource& input,
               CUdevResource* remaining, unsigned flags, unsigned least) {
    SmResource from;
    const CUresult result = sim::unpack(input, from);
    if (result != CUDA_SUCCESS) return result;
    if ((flags & ~kKnownFlags) != 0 || !driver.valid(from.device)) return CUDA_ERROR_INVALID_VALUE;
    const sim::Device& device = driver.at(from.device);
    const bool shared = device.sm_granted < device.sm_total;  // a percentage under MPS
    if (shared || from.split != 0 || least > from.sms.count()) {
        return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
    }
    const bool fine = (flags & CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING) != 0;
    const sim::SmGrain grain = fine ? sim::sm_grain(device.gpu->major, true) : from.grain;
    const unsigned most = groups != nullptr ? count : sim::kMostSms;
    const sim::SmSplit made = split_sms(from.sms, grain, least, most, device.gpu->sm_count);
    if (made.groups.empty()) return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
    count = static_cast<unsigned>(made.groups.size());
    if (groups == nullptr) return CUDA_SUCCESS;
    const unsigned number = ++driver.splits;
    for (unsigned i = 0; i < count; ++i) {
        groups[i] = sim::pack({from.device, number, made.groups[i], grain});
    }
    if (remaining != nullptr) *remaining = sim::pack({from.device, number, made.rest, grain});
    return CUDA_SUCCESS;
}

// What splits of one device made, or one that can be split still.
CUresult unite(const CUdevResource* resources, unsigned count, SmResource& whole) {
    for (unsigned i = 0; i < count; ++i) {
        SmResource each;
        const CUresult result = sim::unpack(resources[i], each);
        if (result != CUDA_SUCCESS) return result;
        if (i == 0) {
            whole = each;
            continue;
        }
        const bool siblings = each.device == whole.device && whole.split != 0 && each.split != 0 &&
                              (each.sms & whole.sms).none();
        if (!siblings) return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
        whole.sms |= each.sms;
    }
    return whole.sms.any() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
}

}  // namespace

CUresult cuDeviceGetDevResource(CUdevice ordinal, CUdevResource* resource, CUdevResourceType type) {
    return get("cuDeviceGetDevResource", resource, type, [&](Driver& driver, SmResource& found) {
        if (!driver.valid(ordinal)) return CUDA_ERROR_INVALID_DEVICE;
        const sim::Device& device = driver.at(ordinal);
        found = {ordinal, 0, sim::sm_range(0, device.sm_granted),
                 sim::sm_grain(device.gpu->major, false)};
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetDevResource(CUcontext context, CUdevResource* resource, CUdevResourceType type) {
    return get("cuCtxGetDevResource", resource, type, [&](Driver& driver, SmResource& found) {
        return of_context(driver, context, found);
    });
}

CUresult cuGreenCtxGetDevResource(CUgreenCtx green, CUdevResource* resource,
                                  CUdevResourceType type) {
    return get("cuGreenCtxGetDevResource", resource, type, [&](Driver& driver, SmResource& found) {
        const CUresult known = sim::check_green(driver, green);
        return known == CUDA_SUCCESS ? of_context(driver, green->context, found) : known;
    });
}

CUresult cuDevSmResourceSplitByCount(CUdevResource* groups, unsigned* count,
                                     const CUdevResource* input, CUdevResource* remaining,
                                     unsigned flags, unsigned least) {
    Call call("cuDevSmResourceSplitByCount");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const bool usable = count != nullptr && input != nullptr && (groups == nullptr || *count != 0);
    if (!usable) return call.done(CUDA_ERROR_INVALID_VALUE);
    const std::lock_guard<std::mutex> lock(driver->mutex);
    const CUresult result = split(*driver, groups, *count, *input, remaining, flags, least);
    return call.done(result, "groups=%u flags=%u least=%u", *count, flags, least);
}

CUresult cuDevResourceGenerateDesc(CUdevResourceDesc* description, CUdevResource* resources,
                                   unsigned count) {
    Call call("cuDevResourceGenerateDesc");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    if (description == nullptr || resources == nullptr || count == 0) {
        return call.done(CUDA_ERROR_INVALID_VALUE, "count=%u", count);
    }
    const std::lock_guard<std::mutex> lock(driver->mutex);
    SmResource whole;
    const CUresult result = unite(resources, count, whole);
    if (result != CUDA_SUCCESS) return call.done(result, "count=%u", count);
    *description = new CUdevResourceDesc_st{whole.device, whole.sms, whole.grain};
    driver->descriptions.insert(*description);
    return call.done(CUDA_SUCCESS, "count=%u sms=%zu", count, whole.sms.count());
}
