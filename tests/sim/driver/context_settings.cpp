// What a program sets in a context: limits, cache preference, flags, access to peers. A green
// context's are its primary's.
#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

using sim::Call;
using sim::Driver;
using sim::Settable;

namespace {

// Runs `use(driver, root)` with the root of the current context.
template <typename Use>
CUresult in_root(const char* symbol, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context != nullptr) result = use(*driver, *context->root);
    return call.done(result);
}

// What a limit is if nobody has set it; 0 for one that isn't known.
std::size_t usual(CUlimit limit) {
    switch (limit) {
        case CU_LIMIT_STACK_SIZE:
            return 1024;
        case CU_LIMIT_PRINTF_FIFO_SIZE:
            return std::size_t{1} << 20;
        case CU_LIMIT_MALLOC_HEAP_SIZE:
            return std::size_t{8} << 20;
        case CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH:
            return 2;
        case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
            return 2048;
        case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
            return 64;
        default:
            return 0;
    }
}

// Runs `use(peers, device)` with the peers of the current context and the device of the other one.
template <typename Use>
CUresult on_peer(const char* symbol, CUcontext other, Use&& use) {
    return in_root(symbol, [&](Driver& driver, CUctx_st& root) {
        if (driver.contexts.count(other) == 0) return CUDA_ERROR_INVALID_CONTEXT;
        return use(root.settable.peers, root.device, other->device);
    });
}

}  // namespace

CUresult cuCtxSetLimit(CUlimit limit, std::size_t value) {
    return in_root("cuCtxSetLimit", [=](Driver&, CUctx_st& root) {
        if (usual(limit) == 0) return CUDA_ERROR_UNSUPPORTED_LIMIT;
        root.settable.limits[limit] = value;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetLimit(std::size_t* value, CUlimit limit) {
    return in_root("cuCtxGetLimit", [=](Driver&, CUctx_st& root) {
        if (usual(limit) == 0) return CUDA_ERROR_UNSUPPORTED_LIMIT;
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto set = root.settable.limits.find(limit);
        *value = set != root.settable.limits.end() ? set->second : usual(limit);
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxSetCacheConfig(CUfunc_cache preference) {
    return in_root("cuCtxSetCacheConfig", [=](Driver&, CUctx_st& root) {
        root.settable.cache = preference;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetCacheConfig(CUfunc_cache* preference) {
    return in_root("cuCtxGetCacheConfig", [=](Driver&, CUctx_st& root) {
        if (preference == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *preference = root.settable.cache;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxSetFlags(unsigned flags) {
    return in_root("cuCtxSetFlags", [=](Driver&, CUctx_st& root) {
        if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        root.flags = flags;
        return CUDA_SUCCESS;
    });
}

// Every two GPUs here are peers.
CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
    Call call("cuDeviceCanAccessPeer");
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    if (!driver->valid(device) || !driver->valid(peer)) return call.done(CUDA_ERROR_INVALID_DEVICE);
    if (can == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *can = device != peer ? 1 : 0;
    return call.done(CUDA_SUCCESS);
}

CUresult cuCtxEnablePeerAccess(CUcontext other, unsigned flags) {
    return on_peer("cuCtxEnablePeerAccess", other,
                   [=](std::set<CUdevice>& peers, CUdevice device, CUdevice peer) {
                       if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
                       if (device == peer) return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
                       const bool added = peers.insert(peer).second;
                       return added ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
                   });
}

CUresult cuCtxDisablePeerAccess(CUcontext other) {
    return on_peer(
        "cuCtxDisablePeerAccess", other, [](std::set<CUdevice>& peers, CUdevice, CUdevice peer) {
            return peers.erase(peer) != 0 ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
        });
}
