#include "shim/cuda/stream/implicit.h"

namespace ration::cuda::stream {

Line& Line::from(CUarray array, std::size_t offset) {
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = array;
    copy.srcXInBytes = offset;
    return *this;
}

Line& Line::from(CUdeviceptr pointer) {
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = pointer;
    copy.srcPitch = copy.WidthInBytes;
    return *this;
}

Line& Line::to(CUarray array, std::size_t offset) {
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.dstXInBytes = offset;
    return *this;
}

Line& Line::to(CUdeviceptr pointer) {
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = pointer;
    copy.dstPitch = copy.WidthInBytes;
    return *this;
}

// Memory that CUDA does not know is the host's own, pageable.
Memory memory_at(CUdeviceptr pointer) {
    if (real.cuPointerGetAttribute == nullptr) return Memory::kUnknown;
    unsigned managed = 0;
    unsigned type = 0;
    if (real.cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, pointer) ==
            CUDA_SUCCESS &&
        managed != 0) {
        return Memory::kManaged;
    }
    if (real.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer) !=
        CUDA_SUCCESS) {
        return Memory::kUnknown;
    }
    return type == CU_MEMORYTYPE_DEVICE ? Memory::kDevice : Memory::kPinned;
}

}  // namespace ration::cuda::stream
