// Copies between any two of host, device and arrays, in bytes and in shapes.
#include "tests/sim/driver/copy_box.h"

using sim::BoxCopy;
using sim::Driver;
using sim::Form;
using sim::or_own;

namespace {

CUresult unified(const char* symbol, CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                 CUstream stream, Form form) {
    return sim::copy_boxes(symbol, stream, form, [=](Driver& driver, BoxCopy& copy) {
        copy.extent = {bytes};
        if (bytes == 0) return CUDA_SUCCESS;
        const CUresult result = sim::find_unified(driver, to, bytes, copy.to);
        if (result != CUDA_SUCCESS) return result;
        return sim::find_unified(driver, from, bytes, copy.from);
    });
}

// Between two contexts, which may be the same.
CUresult peer(const char* symbol, CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
              CUcontext from_context, std::size_t bytes, CUstream stream, Form form) {
    return sim::copy_boxes(symbol, stream, form, [=](Driver& driver, BoxCopy& copy) {
        for (CUcontext context : {to_context, from_context}) {
            if (driver.contexts.count(context) == 0) return CUDA_ERROR_INVALID_CONTEXT;
        }
        copy.extent = {bytes};
        if (bytes == 0) return CUDA_SUCCESS;
        const CUresult result = sim::find_device(driver, to, bytes, copy.to);
        return result == CUDA_SUCCESS ? sim::find_device(driver, from, bytes, copy.from) : result;
    });
}

// A side of cuMemcpyAtoH and its like: host or device memory, or an array from a byte on.
struct Place {
    const void* host = nullptr;
    CUdeviceptr device = 0;
    CUarray array = nullptr;
    std::size_t offset = 0;
};

CUresult find(const Driver& driver, const Place& place, std::size_t bytes, sim::Box& box) {
    if (place.array != nullptr) {
        return sim::find_array(driver, place.array, place.offset, bytes, box);
    }
    if (place.host == nullptr) return sim::find_device(driver, place.device, bytes, box);
    sim::find_host(driver, place.host, bytes, box);
    return CUDA_SUCCESS;
}

CUresult array_copy(const char* symbol, const Place& to, const Place& from, std::size_t bytes,
                    CUstream stream, Form form = Form::Synchronous) {
    return sim::copy_boxes(symbol, stream, form, [=](Driver& driver, BoxCopy& copy) {
        copy.extent = {bytes};
        if (bytes == 0) return CUDA_SUCCESS;
        const CUresult result = find(driver, to, bytes, copy.to);
        return result == CUDA_SUCCESS ? find(driver, from, bytes, copy.from) : result;
    });
}

CUresult shaped(const char* symbol, const CUDA_MEMCPY3D* shape, CUstream stream, Form form) {
    return sim::copy_boxes(symbol, stream, form, [=](Driver& driver, BoxCopy& copy) {
        return shape != nullptr ? sim::find_boxes(driver, *shape, copy) : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult shaped(const char* symbol, const CUDA_MEMCPY2D* flat, CUstream stream, Form form) {
    if (flat == nullptr) {
        return shaped(symbol, static_cast<const CUDA_MEMCPY3D*>(nullptr), stream, form);
    }
    const CUDA_MEMCPY3D shape = sim::in_space(*flat);
    return shaped(symbol, &shape, stream, form);
}

CUresult shaped(const char* symbol, const CUDA_MEMCPY3D_PEER* peer, CUstream stream, Form form) {
    if (peer == nullptr) {
        return shaped(symbol, static_cast<const CUDA_MEMCPY3D*>(nullptr), stream, form);
    }
    const CUDA_MEMCPY3D shape = sim::without_contexts(*peer);
    return shaped(symbol, &shape, stream, form);
}

}  // namespace

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
    return unified("cuMemcpy", to, from, bytes, nullptr, Form::Synchronous);
}
CUresult cuMemcpy_ptds(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
    return unified("cuMemcpy_ptds", to, from, bytes, or_own(nullptr), Form::Synchronous);
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return unified("cuMemcpyAsync", to, from, bytes, stream, Form::Async);
}
CUresult cuMemcpyAsync_ptsz(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return unified("cuMemcpyAsync_ptsz", to, from, bytes, or_own(stream), Form::Async);
}

CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                      CUcontext from_context, std::size_t bytes) {
    return peer("cuMemcpyPeer", to, to_context, from, from_context, bytes, nullptr,
                Form::Synchronous);
}
CUresult cuMemcpyPeer_ptds(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                           CUcontext from_context, std::size_t bytes) {
    return peer("cuMemcpyPeer_ptds", to, to_context, from, from_context, bytes, or_own(nullptr),
                Form::Synchronous);
}
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                           CUcontext from_context, std::size_t bytes, CUstream stream) {
    return peer("cuMemcpyPeerAsync", to, to_context, from, from_context, bytes, stream,
                Form::Async);
}
CUresult cuMemcpyPeerAsync_ptsz(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                                CUcontext from_context, std::size_t bytes, CUstream stream) {
    return peer("cuMemcpyPeerAsync_ptsz", to, to_context, from, from_context, bytes, or_own(stream),
                Form::Async);
}

CUresult cuMemcpyAtoH_v2(void* to, CUarray from, std::size_t offset, std::size_t bytes) {
    return array_copy("cuMemcpyAtoH_v2", {to}, {nullptr, 0, from, offset}, bytes, nullptr);
}
CUresult cuMemcpyAtoH_v2_ptds(void* to, CUarray from, std::size_t offset, std::size_t bytes) {
    return array_copy("cuMemcpyAtoH_v2_ptds", {to}, {nullptr, 0, from, offset}, bytes,
                      or_own(nullptr));
}
CUresult cuMemcpyAtoHAsync_v2(void* to, CUarray from, std::size_t offset, std::size_t bytes,
                              CUstream stream) {
    return array_copy("cuMemcpyAtoHAsync_v2", {to}, {nullptr, 0, from, offset}, bytes, stream,
                      Form::Async);
}
CUresult cuMemcpyAtoHAsync_v2_ptsz(void* to, CUarray from, std::size_t offset, std::size_t bytes,
                                   CUstream stream) {
    return array_copy("cuMemcpyAtoHAsync_v2_ptsz", {to}, {nullptr, 0, from, offset}, bytes,
                      or_own(stream), Form::Async);
}
CUresult cuMemcpyHtoA_v2(CUarray to, std::size_t offset, const void* from, std::size_t bytes) {
    return array_copy("cuMemcpyHtoA_v2", {nullptr, 0, to, offset}, {from}, bytes, nullptr);
}
CUresult cuMemcpyHtoA_v2_ptds(CUarray to, std::size_t offset, const void* from, std::size_t bytes) {
    return array_copy("cuMemcpyHtoA_v2_ptds", {nullptr, 0, to, offset}, {from}, bytes,
                      or_own(nullptr));
}
CUresult cuMemcpyHtoAAsync_v2(CUarray to, std::size_t offset, const void* from, std::size_t bytes,
                              CUstream stream) {
    return array_copy("cuMemcpyHtoAAsync_v2", {nullptr, 0, to, offset}, {from}, bytes, stream,
                      Form::Async);
}
CUresult cuMemcpyHtoAAsync_v2_ptsz(CUarray to, std::size_t offset, const void* from,
                                   std::size_t bytes, CUstream stream) {
    return array_copy("cuMemcpyHtoAAsync_v2_ptsz", {nullptr, 0, to, offset}, {from}, bytes,
                      or_own(stream), Form::Async);
}
CUresult cuMemcpyAtoD_v2(CUdeviceptr to, CUarray from, std::size_t offset, std::size_t bytes) {
    return array_copy("cuMemcpyAtoD_v2", {nullptr, to}, {nullptr, 0, from, offset}, bytes, nullptr);
}
CUresult cuMemcpyAtoD_v2_ptds(CUdeviceptr to, CUarray from, std::size_t offset, std::size_t bytes) {
    return array_copy("cuMemcpyAtoD_v2_ptds", {nullptr, to}, {nullptr, 0, from, offset}, bytes,
                      or_own(nullptr));
}
CUresult cuMemcpyDtoA_v2(CUarray to, std::size_t offset, CUdeviceptr from, std::size_t bytes) {
    return array_copy("cuMemcpyDtoA_v2", {nullptr, 0, to, offset}, {nullptr, from}, bytes, nullptr);
}
CUresult cuMemcpyDtoA_v2_ptds(CUarray to, std::size_t offset, CUdeviceptr from, std::size_t bytes) {
    return array_copy("cuMemcpyDtoA_v2_ptds", {nullptr, 0, to, offset}, {nullptr, from}, bytes,
                      or_own(nullptr));
}
CUresult cuMemcpyAtoA_v2(CUarray to, std::size_t offset, CUarray from, std::size_t from_offset,
                         std::size_t bytes) {
    return array_copy("cuMemcpyAtoA_v2", {nullptr, 0, to, offset}, {nullptr, 0, from, from_offset},
                      bytes, nullptr);
}
CUresult cuMemcpyAtoA_v2_ptds(CUarray to, std::size_t offset, CUarray from, std::size_t from_offset,
                              std::size_t bytes) {
    return array_copy("cuMemcpyAtoA_v2_ptds", {nullptr, 0, to, offset},
                      {nullptr, 0, from, from_offset}, bytes, or_own(nullptr));
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* flat) {
    return shaped("cuMemcpy2D_v2", flat, nullptr, Form::Synchronous);
}
CUresult cuMemcpy2D_v2_ptds(const CUDA_MEMCPY2D* flat) {
    return shaped("cuMemcpy2D_v2_ptds", flat, or_own(nullptr), Form::Synchronous);
}
CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* flat) {
    return shaped("cuMemcpy2DUnaligned_v2", flat, nullptr, Form::Synchronous);
}
CUresult cuMemcpy2DUnaligned_v2_ptds(const CUDA_MEMCPY2D* flat) {
    return shaped("cuMemcpy2DUnaligned_v2_ptds", flat, or_own(nullptr), Form::Synchronous);
}
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* flat, CUstream stream) {
    return shaped("cuMemcpy2DAsync_v2", flat, stream, Form::Async);
}
CUresult cuMemcpy2DAsync_v2_ptsz(const CUDA_MEMCPY2D* flat, CUstream stream) {
    return shaped("cuMemcpy2DAsync_v2_ptsz", flat, or_own(stream), Form::Async);
}
CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D* shape) {
    return shaped("cuMemcpy3D_v2", shape, nullptr, Form::Synchronous);
}
CUresult cuMemcpy3D_v2_ptds(const CUDA_MEMCPY3D* shape) {
    return shaped("cuMemcpy3D_v2_ptds", shape, or_own(nullptr), Form::Synchronous);
}
CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D* shape, CUstream stream) {
    return shaped("cuMemcpy3DAsync_v2", shape, stream, Form::Async);
}
CUresult cuMemcpy3DAsync_v2_ptsz(const CUDA_MEMCPY3D* shape, CUstream stream) {
    return shaped("cuMemcpy3DAsync_v2_ptsz", shape, or_own(stream), Form::Async);
}
CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER* shape) {
    return shaped("cuMemcpy3DPeer", shape, nullptr, Form::Synchronous);
}
CUresult cuMemcpy3DPeer_ptds(const CUDA_MEMCPY3D_PEER* shape) {
    return shaped("cuMemcpy3DPeer_ptds", shape, or_own(nullptr), Form::Synchronous);
}
CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER* shape, CUstream stream) {
    return shaped("cuMemcpy3DPeerAsync", shape, stream, Form::Async);
}
CUresult cuMemcpy3DPeerAsync_ptsz(const CUDA_MEMCPY3D_PEER* shape, CUstream stream) {
    return shaped("cuMemcpy3DPeerAsync_ptsz", shape, or_own(stream), Form::Async);
}
