#include "tests/sim/driver/copy_box.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/sim/driver/array.h"

namespace sim {
namespace {

// From the first byte to the last.
std::size_t span(const Box& box, const Extent& extent) {
    return (extent.layers - 1) * box.layer + (extent.rows - 1) * box.pitch + extent.bytes;
}

void copy_rows(const BoxCopy& copy) {
    for (std::size_t layer = 0; layer < copy.extent.layers; ++layer) {
        for (std::size_t row = 0; row < copy.extent.rows; ++row) {
            std::memmove(copy.to.first + layer * copy.to.layer + row * copy.to.pitch,
                         copy.from.first + layer * copy.from.layer + row * copy.from.pitch,
                         copy.extent.bytes);
        }
    }
}

// A copy from what is read now.
Task staged(BoxCopy copy) {
    const auto data = std::make_shared<std::vector<char>>(
        copy.from.first, copy.from.first + span(copy.from, copy.extent));
    copy.from.first = data->data();
    return {[copy, data] { copy_rows(copy); }};
}

CUresult run(Driver& driver, CUstream stream, std::unique_lock<std::mutex>& lock, Form form,
             const BoxCopy& copy) {
    if (copy.extent.bytes == 0 || copy.extent.rows == 0 || copy.extent.layers == 0) {
        return CUDA_SUCCESS;
    }
    const Task plain = copying([copy] { copy_rows(copy); });
    const bool host = copy.to.on_host || copy.from.on_host;
    if (form == Form::Synchronous) {
        return submit(driver, stream, lock, host ? Until::Done : Until::Submitted, plain);
    }
    // Pageable memory is read before the call returns, and written, but for a graph's node.
    if (stream->capture != nullptr) return driver.enqueue(stream, plain);
    return submit(driver, stream, lock, copy.to.pageable ? Until::Done : Until::Submitted,
                  copy.from.pageable ? staged(copy) : plain);
}

// One side of a description; `x` in bytes.
struct Side {
    CUmemorytype type;
    const void* host;
    CUdeviceptr device;
    CUarray array;
    std::size_t pitch;
    std::size_t height;
    std::size_t x;
    std::size_t y;
    std::size_t z;
};

CUresult find_side(const Driver& driver, const Side& side, const Extent& extent, Box& box) {
    const bool in_array = side.type == CU_MEMORYTYPE_ARRAY;
    if (in_array && (driver.arrays.count(side.array) == 0 || side.array->memory == 0)) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    const std::size_t pitch = in_array ? side.array->shape.Width * texel_bytes(side.array->shape)
                                       : std::max(side.pitch, extent.bytes);
    const std::size_t height =
        in_array ? std::max<std::size_t>(side.array->shape.Height, 1) : side.height;
    Box shape{nullptr, pitch, pitch * std::max(height, extent.rows)};
    const std::size_t offset = side.z * shape.layer + side.y * pitch + side.x;
    const std::size_t bytes = span(shape, extent);
    CUresult result = CUDA_SUCCESS;
    switch (side.type) {
        case CU_MEMORYTYPE_HOST:
            find_host(driver, static_cast<const char*>(side.host) + offset, bytes, box);
            break;
        case CU_MEMORYTYPE_DEVICE:
            result = find_device(driver, side.device + offset, bytes, box);
            break;
        case CU_MEMORYTYPE_ARRAY:
            result = find_array(driver, side.array, offset, bytes, box);
            break;
        case CU_MEMORYTYPE_UNIFIED:
            result = find_unified(driver, side.device + offset, bytes, box);
            break;
        default:
            result = CUDA_ERROR_INVALID_VALUE;
    }
    box.pitch = shape.pitch;
    box.layer = shape.layer;
    return result;
}

}  // namespace

void find_host(const Driver& driver, const void* pointer, std::size_t bytes, Box& box) {
    box.first = const_cast<char*>(static_cast<const char*>(pointer));
    box.on_host = true;
    box.pageable = pageable(driver, pointer, bytes);
}

CUresult find_device(const Driver& driver, CUdeviceptr pointer, std::size_t bytes, Box& box) {
    box.first = static_cast<char*>(host(pointer));
    return driver.covers(pointer, bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult find_unified(const Driver& driver, CUdeviceptr pointer, std::size_t bytes, Box& box) {
    if (pointer == 0) return CUDA_ERROR_INVALID_VALUE;
    if (!driver.covers(pointer, bytes) || driver.on_host(pointer)) {
        find_host(driver, host(pointer), bytes, box);
        return CUDA_SUCCESS;
    }
    return find_device(driver, pointer, bytes, box);
}

CUresult find_array(const Driver& driver, CUarray array, std::size_t offset, std::size_t bytes,
                    Box& box) {
    if (driver.arrays.count(array) == 0 || array->memory == 0) return CUDA_ERROR_INVALID_HANDLE;
    return find_device(driver, array->memory + offset, bytes, box);
}

CUresult find_boxes(const Driver& driver, const CUDA_MEMCPY3D& shape, BoxCopy& copy) {
    copy.extent = {shape.WidthInBytes, shape.Height, shape.Depth};
    if (shape.WidthInBytes == 0 || shape.Height == 0 || shape.Depth == 0) return CUDA_SUCCESS;
    const Side to{shape.dstMemoryType, shape.dstHost,  shape.dstDevice,
                  shape.dstArray,      shape.dstPitch, shape.dstHeight,
                  shape.dstXInBytes,   shape.dstY,     shape.dstZ};
    const Side from{shape.srcMemoryType, shape.srcHost,  shape.srcDevice,
                    shape.srcArray,      shape.srcPitch, shape.srcHeight,
                    shape.srcXInBytes,   shape.srcY,     shape.srcZ};
    const CUresult result = find_side(driver, to, copy.extent, copy.to);
    return result == CUDA_SUCCESS ? find_side(driver, from, copy.extent, copy.from) : result;
}

CUDA_MEMCPY3D in_space(const CUDA_MEMCPY2D& flat) {
    CUDA_MEMCPY3D shape{};
    shape.srcXInBytes = flat.srcXInBytes;
    shape.srcY = flat.srcY;
    shape.srcMemoryType = flat.srcMemoryType;
    shape.srcHost = flat.srcHost;
    shape.srcDevice = flat.srcDevice;
    shape.srcArray = flat.srcArray;
    shape.srcPitch = flat.srcPitch;
    shape.dstXInBytes = flat.dstXInBytes;
    shape.dstY = flat.dstY;
    shape.dstMemoryType = flat.dstMemoryType;
    shape.dstHost = flat.dstHost;
    shape.dstDevice = flat.dstDevice;
    shape.dstArray = flat.dstArray;
    shape.dstPitch = flat.dstPitch;
    shape.WidthInBytes = flat.WidthInBytes;
    shape.Height = flat.Height;
    shape.Depth = 1;
    return shape;
}

// The two structures differ in two members that each must be null in the other (cuda.h).
CUDA_MEMCPY3D without_contexts(const CUDA_MEMCPY3D_PEER& peer) {
    CUDA_MEMCPY3D shape{};
    static_assert(sizeof shape == sizeof peer);
    std::memcpy(&shape, &peer, sizeof shape);
    return shape;
}

CUresult copy_boxes(const char* symbol, CUstream handle, Form form,
                    const std::function<CUresult(Driver&, BoxCopy&)>& find) {
    return on_stream(symbol, handle, [&](Driver& driver, CUstream stream, auto& lock) {
        BoxCopy copy;
        const CUresult result = find(driver, copy);
        return result == CUDA_SUCCESS ? run(driver, stream, lock, form, copy) : result;
    });
}

}  // namespace sim
