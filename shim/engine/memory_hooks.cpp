#include "shim/engine/memory_hooks.h"

#include <algorithm>
#include <climits>

#include "shim/engine/memory_call.h"

namespace ration {
namespace {

using cuda::quota::Ledger;
using engine::counted;
using engine::meant_by;
using engine::Session;

template <Hook row, class Pointer>
CUresult linear(Pointer* pointer, std::size_t bytes) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            return ledger.linear(pointer, cuda::quota::linear_charge(bytes), call);
        },
        pointer, bytes);
}

template <Hook row, class Pointer, class Size>
CUresult pitched(Pointer* pointer, Size* pitch, Size width, Size height, unsigned element) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            return ledger.pitched(pointer, pitch, width, height, call);
        },
        pointer, pitch, width, height, element);
}

template <Hook row, class Pointer, class... Stream>
CUresult free(Pointer pointer, Stream... stream) {
    return counted<row>([&](Ledger& ledger, auto call) { return ledger.free(pointer, call); },
                        pointer, stream...);
}

// Of a one- or two-dimensional array, or of the first versions.
template <class Descriptor>
CUDA_ARRAY3D_DESCRIPTOR described(const Descriptor& array) {
    CUDA_ARRAY3D_DESCRIPTOR result{};
    result.Width = array.Width;
    result.Height = array.Height;
    result.Format = array.Format;
    result.NumChannels = array.NumChannels;
    if constexpr (requires { array.Depth; }) {
        result.Depth = array.Depth;
        result.Flags = array.Flags;
    }
    return result;
}

template <Hook row, class Handle, class Descriptor, class... Levels>
CUresult array(Handle* handle, const Descriptor* wanted, Levels... levels) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            if (wanted == nullptr) return call();
            const std::uint64_t charge = cuda::quota::array_charge(described(*wanted), levels...);
            return ledger.array(handle, charge, call);
        },
        handle, wanted, levels...);
}

template <Hook row, class Handle>
CUresult free_array(Handle handle) {
    return counted<row>([&](Ledger& ledger, auto call) { return ledger.free_array(handle, call); },
                        handle);
}

template <Hook row, class Size>
CUresult info(Size* free, Size* total) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            const CUresult result = call();
            if (result != CUDA_SUCCESS) return result;
            std::uint64_t values[] = {*free, *total};
            ledger.narrow_info(values[0], values[1]);
            *free = static_cast<Size>(values[0]);
            *total = static_cast<Size>(values[1]);
            return result;
        },
        free, total);
}

template <Hook row, class Size>
CUresult total(Size* bytes, CUdevice device) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            const CUresult result = call();
            if (result != CUDA_SUCCESS) return result;
            std::uint64_t value = *bytes;
            ledger.narrow_total(value, device);
            *bytes = static_cast<Size>(value);
            return result;
        },
        bytes, device);
}

template <Hook row>
CUresult destroy(CUcontext context) {
    return counted<row>(
        [&](Ledger& ledger, auto call) { return ledger.destroy_context(context, call); }, context);
}

template <Hook row>
CUresult release_primary(CUdevice device) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            const CUresult result = call();
            if (result == CUDA_SUCCESS) ledger.primary_released(device);
            return result;
        },
        device);
}

template <Hook row>
CUresult reset_primary(CUdevice device) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            const CUresult result = call();
            if (result == CUDA_SUCCESS) ledger.primary_ended(device);
            return result;
        },
        device);
}

template <Hook row>
CUresult pooled(CUdeviceptr* pointer, std::size_t bytes, CUstream stream, CUstream meant) {
    return counted<row>(
        [&](Ledger& ledger, auto call) {
            return ledger.pooled(pointer, bytes, nullptr, meant, call);
        },
        pointer, bytes, stream);
}

template <Hook row>
CUresult pooled_from(CUdeviceptr* pointer, std::size_t bytes, CUmemoryPool pool, CUstream stream,
                     CUstream meant) {
    return counted<row>(
        [&](Ledger& ledger, auto call) { return ledger.pooled(pointer, bytes, pool, meant, call); },
        pointer, bytes, pool, stream);
}

}  // namespace

CUresult memory_hook::cuMemAlloc(CUdeviceptr_v1* pointer, unsigned bytes) {
    return linear<Hook::cuMemAlloc>(pointer, bytes);
}

CUresult memory_hook::cuMemAlloc_v2(CUdeviceptr* pointer, std::size_t bytes) {
    return linear<Hook::cuMemAlloc_v2>(pointer, bytes);
}

CUresult memory_hook::cuMemAllocManaged(CUdeviceptr* pointer, std::size_t bytes, unsigned flags) {
    return counted<Hook::cuMemAllocManaged>(
        [&](Ledger& ledger, auto call) {
            return ledger.linear(pointer, cuda::quota::linear_charge(bytes), call);
        },
        pointer, bytes, flags);
}

CUresult memory_hook::cuMemAllocPitch(CUdeviceptr_v1* pointer, unsigned* pitch, unsigned width,
                                      unsigned height, unsigned element) {
    return pitched<Hook::cuMemAllocPitch>(pointer, pitch, width, height, element);
}

CUresult memory_hook::cuMemAllocPitch_v2(CUdeviceptr* pointer, std::size_t* pitch,
                                         std::size_t width, std::size_t height, unsigned element) {
    return pitched<Hook::cuMemAllocPitch_v2>(pointer, pitch, width, height, element);
}

CUresult memory_hook::cuMemFree(CUdeviceptr_v1 pointer) { return free<Hook::cuMemFree>(pointer); }

CUresult memory_hook::cuMemFree_v2(CUdeviceptr pointer) {
    return free<Hook::cuMemFree_v2>(pointer);
}

CUresult memory_hook::cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
    return free<Hook::cuMemFreeAsync>(pointer, stream);
}

CUresult memory_hook::cuMemFreeAsync_ptsz(CUdeviceptr pointer, CUstream stream) {
    return free<Hook::cuMemFreeAsync_ptsz>(pointer, stream);
}

CUresult memory_hook::cuMemAllocAsync(CUdeviceptr* pointer, std::size_t bytes, CUstream stream) {
    return pooled<Hook::cuMemAllocAsync>(pointer, bytes, stream, stream);
}

CUresult memory_hook::cuMemAllocAsync_ptsz(CUdeviceptr* pointer, std::size_t bytes,
                                           CUstream stream) {
    return pooled<Hook::cuMemAllocAsync_ptsz>(pointer, bytes, stream, meant_by(stream));
}

CUresult memory_hook::cuMemAllocFromPoolAsync(CUdeviceptr* pointer, std::size_t bytes,
                                              CUmemoryPool pool, CUstream stream) {
    return pooled_from<Hook::cuMemAllocFromPoolAsync>(pointer, bytes, pool, stream, stream);
}

CUresult memory_hook::cuMemAllocFromPoolAsync_ptsz(CUdeviceptr* pointer, std::size_t bytes,
                                                   CUmemoryPool pool, CUstream stream) {
    return pooled_from<Hook::cuMemAllocFromPoolAsync_ptsz>(pointer, bytes, pool, stream,
                                                           meant_by(stream));
}

CUresult memory_hook::cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* wanted) {
    return counted<Hook::cuMemPoolCreate>(
        [&](Ledger& ledger, auto call) { return ledger.make_pool(pool, wanted, call); }, pool,
        wanted);
}

CUresult memory_hook::cuMemPoolDestroy(CUmemoryPool pool) {
    return counted<Hook::cuMemPoolDestroy>(
        [&](Ledger& ledger, auto call) { return ledger.destroy_pool(pool, call); }, pool);
}

CUresult memory_hook::cuArrayCreate(CUarray* handle, const CUDA_ARRAY_DESCRIPTOR_v1* wanted) {
    return array<Hook::cuArrayCreate>(handle, wanted);
}

CUresult memory_hook::cuArrayCreate_v2(CUarray* handle, const CUDA_ARRAY_DESCRIPTOR* wanted) {
    return array<Hook::cuArrayCreate_v2>(handle, wanted);
}

CUresult memory_hook::cuArray3DCreate(CUarray* handle, const CUDA_ARRAY3D_DESCRIPTOR_v1* wanted) {
    return array<Hook::cuArray3DCreate>(handle, wanted);
}

CUresult memory_hook::cuArray3DCreate_v2(CUarray* handle, const CUDA_ARRAY3D_DESCRIPTOR* wanted) {
    return array<Hook::cuArray3DCreate_v2>(handle, wanted);
}

CUresult memory_hook::cuArrayDestroy(CUarray handle) {
    return free_array<Hook::cuArrayDestroy>(handle);
}

CUresult memory_hook::cuMipmappedArrayCreate(CUmipmappedArray* handle,
                                             const CUDA_ARRAY3D_DESCRIPTOR* wanted,
                                             unsigned levels) {
    return array<Hook::cuMipmappedArrayCreate>(handle, wanted, levels);
}

CUresult memory_hook::cuMipmappedArrayDestroy(CUmipmappedArray handle) {
    return free_array<Hook::cuMipmappedArrayDestroy>(handle);
}

CUresult memory_hook::cuMemCreate(CUmemGenericAllocationHandle* handle, std::size_t bytes,
                                  const CUmemAllocationProp* wanted, unsigned long long flags) {
    return counted<Hook::cuMemCreate>(
        [&](Ledger& ledger, auto call) { return ledger.create(handle, bytes, wanted, call); },
        handle, bytes, wanted, flags);
}

CUresult memory_hook::cuMemRelease(CUmemGenericAllocationHandle handle) {
    return counted<Hook::cuMemRelease>(
        [&](Ledger& ledger, auto call) { return ledger.release(handle, call); }, handle);
}

CUresult memory_hook::cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* handle,
                                                  void* address) {
    return counted<Hook::cuMemRetainAllocationHandle>(
        [&](Ledger& ledger, auto call) { return ledger.retain(handle, call); }, handle, address);
}

CUresult memory_hook::cuMemMap(CUdeviceptr address, std::size_t size, std::size_t offset,
                               CUmemGenericAllocationHandle handle, unsigned long long flags) {
    return counted<Hook::cuMemMap>(
        [&](Ledger& ledger, auto call) {
            return ledger.map(address, {size, handle}, call);
        },
        address, size, offset, handle, flags);
}

CUresult memory_hook::cuMemUnmap(CUdeviceptr address, std::size_t size) {
    return counted<Hook::cuMemUnmap>(
        [&](Ledger& ledger, auto call) { return ledger.unmap(address, size, call); }, address,
        size);
}

CUresult memory_hook::cuMemGetInfo(unsigned* free, unsigned* total) {
    return info<Hook::cuMemGetInfo>(free, total);
}

CUresult memory_hook::cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    return info<Hook::cuMemGetInfo_v2>(free, total);
}

CUresult memory_hook::cuDeviceTotalMem(unsigned* bytes, CUdevice device) {
    return total<Hook::cuDeviceTotalMem>(bytes, device);
}

CUresult memory_hook::cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice device) {
    return total<Hook::cuDeviceTotalMem_v2>(bytes, device);
}

CUresult memory_hook::cuCtxDestroy(CUcontext context) {
    return destroy<Hook::cuCtxDestroy>(context);
}

CUresult memory_hook::cuCtxDestroy_v2(CUcontext context) {
    return destroy<Hook::cuCtxDestroy_v2>(context);
}

CUresult memory_hook::cuDevicePrimaryCtxRelease(CUdevice device) {
    return release_primary<Hook::cuDevicePrimaryCtxRelease>(device);
}

CUresult memory_hook::cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return release_primary<Hook::cuDevicePrimaryCtxRelease_v2>(device);
}

CUresult memory_hook::cuDevicePrimaryCtxReset(CUdevice device) {
    return reset_primary<Hook::cuDevicePrimaryCtxReset>(device);
}

CUresult memory_hook::cuDevicePrimaryCtxReset_v2(CUdevice device) {
    return reset_primary<Hook::cuDevicePrimaryCtxReset_v2>(device);
}

void* engine::memory_function(Hook row) {
    switch (row) {
#define RATION_FUNCTION(symbol) \
    case Hook::symbol:          \
        return reinterpret_cast<void*>(&memory_hook::symbol);
#define CUDA_HOOK(symbol, family)
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...) RATION_FUNCTION(symbol)
#define CUDA_MEMORY(symbol, family, ...) RATION_FUNCTION(symbol)
#include "shim/preload/hooks.def"
        RATION_ALSO_COUNTED(RATION_FUNCTION)
#undef RATION_FUNCTION
        default:
            break;
    }
    return nullptr;
}

}  // namespace ration
