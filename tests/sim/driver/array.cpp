#include "tests/sim/driver/array.h"

#include <algorithm>
#include <bit>

#include "tests/sim/driver/allocation.h"
#include "tests/sim/driver/call.h"

using sim::Call;
using sim::Driver;
using sim::MemoryKind;

std::size_t sim::texel_bytes(const CUDA_ARRAY3D_DESCRIPTOR& shape) {
    const bool channels =
        shape.NumChannels == 1 || shape.NumChannels == 2 || shape.NumChannels == 4;
    if (!channels) return 0;
    switch (shape.Format) {
        case CU_AD_FORMAT_UNSIGNED_INT8:
        case CU_AD_FORMAT_SIGNED_INT8:
            return shape.NumChannels;
        case CU_AD_FORMAT_UNSIGNED_INT16:
        case CU_AD_FORMAT_SIGNED_INT16:
        case CU_AD_FORMAT_HALF:
            return shape.NumChannels * std::size_t{2};
        case CU_AD_FORMAT_UNSIGNED_INT32:
        case CU_AD_FORMAT_SIGNED_INT32:
        case CU_AD_FORMAT_FLOAT:
            return shape.NumChannels * std::size_t{4};
        default:
            return 0;
    }
}

void sim::forget_arrays(Driver& driver, CUcontext context) {
    std::erase_if(driver.arrays, [context](CUarray array) {
        const bool gone = array->context == context;
        if (gone) delete array;
        return gone;
    });
    std::erase_if(driver.mipmaps, [context](CUmipmappedArray mipmap) {
        const bool gone = mipmap->context == context;
        if (gone) delete mipmap;
        return gone;
    });
}

namespace {

constexpr unsigned kMemoryLater = CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING;

std::size_t bytes_of(const CUDA_ARRAY3D_DESCRIPTOR& shape) {
    return shape.Width * std::max<std::size_t>(shape.Height, 1) *
           std::max<std::size_t>(shape.Depth, 1) * sim::texel_bytes(shape);
}

CUresult check(const CUDA_ARRAY3D_DESCRIPTOR* shape) {
    if (shape == nullptr || shape->Width == 0) return CUDA_ERROR_INVALID_VALUE;
    return sim::texel_bytes(*shape) != 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// What it takes of the device. Measured: rows are padded to 64 bytes, and to as many rows as a
// block has, which is 8 to 128.
std::size_t taken_by(const CUDA_ARRAY3D_DESCRIPTOR& shape) {
    const std::size_t row = sim::round_up(shape.Width * sim::texel_bytes(shape), 64);
    const std::size_t height = std::max<std::size_t>(shape.Height, 1);
    const std::size_t block = std::clamp<std::size_t>(std::bit_ceil(height), 8, 128);
    return row * sim::round_up(height, block) * std::max<std::size_t>(shape.Depth, 1);
}

// Runs `use(driver, context)` if the calling thread has a context and may allocate.
template <typename Use>
CUresult in_context(const char* symbol, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    std::unique_lock<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context != nullptr) result = sim::unsafe_allowed(*driver);
    if (result == CUDA_SUCCESS) result = use(*driver, context, lock);
    return call.done(result);
}

CUarray add(Driver& driver, CUcontext context, const CUDA_ARRAY3D_DESCRIPTOR& shape,
            CUdeviceptr memory, CUmipmappedArray parent) {
    CUarray array = new CUarray_st{context->root, shape, memory, parent};
    driver.arrays.insert(array);
    return array;
}

CUresult create(const char* symbol, CUarray* array, const CUDA_ARRAY3D_DESCRIPTOR* shape) {
    return in_context(symbol, [=](Driver& driver, CUcontext context, auto&) {
        CUresult result = array != nullptr ? check(shape) : CUDA_ERROR_INVALID_VALUE;
        CUdeviceptr memory = 0;
        if (result == CUDA_SUCCESS && (shape->Flags & kMemoryLater) == 0) {
            result = driver.allocate(context, bytes_of(*shape), MemoryKind::Array, memory,
                                     taken_by(*shape));
        }
        if (result == CUDA_SUCCESS) *array = add(driver, context, *shape, memory, nullptr);
        return result;
    });
}

CUDA_ARRAY3D_DESCRIPTOR level_of(CUDA_ARRAY3D_DESCRIPTOR shape, unsigned level) {
    const auto halve = [level](std::size_t extent) {
        return extent != 0 ? std::max<std::size_t>(extent >> level, 1) : 0;
    };
    shape.Width = halve(shape.Width);
    shape.Height = halve(shape.Height);
    if ((shape.Flags & CUDA_ARRAY3D_LAYERED) == 0) shape.Depth = halve(shape.Depth);
    return shape;
}

CUresult create_levels(Driver& driver, CUcontext context, CUmipmappedArray& mipmap,
                       const CUDA_ARRAY3D_DESCRIPTOR& shape, unsigned count) {
    std::size_t bytes = 0;
    std::size_t taken = 0;
    for (unsigned i = 0; i < count; ++i) {
        bytes += bytes_of(level_of(shape, i));
        taken += taken_by(level_of(shape, i));
    }
    CUdeviceptr memory = 0;
    if ((shape.Flags & kMemoryLater) == 0) {
        const CUresult result = driver.allocate(context, bytes, MemoryKind::Array, memory, taken);
        if (result != CUDA_SUCCESS) return result;
    }
    mipmap = new CUmipmappedArray_st{context->root, memory, {}};
    CUdeviceptr next = memory;
    for (unsigned i = 0; i < count; ++i) {
        const CUDA_ARRAY3D_DESCRIPTOR level = level_of(shape, i);
        mipmap->levels.push_back(add(driver, context, level, next, mipmap));
        if (memory != 0) next += bytes_of(level);
    }
    driver.mipmaps.insert(mipmap);
    return CUDA_SUCCESS;
}

// As cuMemFree does, it waits for all streams.
CUresult release_memory(Driver& driver, CUcontext context, CUdeviceptr memory,
                        std::unique_lock<std::mutex>& lock) {
    driver.wait(lock, driver.unfinished(context->root));
    return memory != 0 ? driver.release(memory, MemoryKind::Array) : CUDA_SUCCESS;
}

CUresult describe(const char* symbol, CUarray array, CUDA_ARRAY3D_DESCRIPTOR* shape) {
    return in_context(symbol, [=](Driver& driver, CUcontext, auto&) {
        if (driver.arrays.count(array) == 0) return CUDA_ERROR_INVALID_HANDLE;
        if (shape == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *shape = array->shape;
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuArrayCreate_v2(CUarray* array, const CUDA_ARRAY_DESCRIPTOR* flat) {
    CUDA_ARRAY3D_DESCRIPTOR shape{};
    if (flat != nullptr) shape = {flat->Width, flat->Height, 0, flat->Format, flat->NumChannels, 0};
    return create("cuArrayCreate_v2", array, &shape);
}

CUresult cuArray3DCreate_v2(CUarray* array, const CUDA_ARRAY3D_DESCRIPTOR* shape) {
    return create("cuArray3DCreate_v2", array, shape);
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* flat, CUarray array) {
    CUDA_ARRAY3D_DESCRIPTOR shape{};
    const CUresult result =
        describe("cuArrayGetDescriptor_v2", array, flat != nullptr ? &shape : nullptr);
    if (result == CUDA_SUCCESS) {
        *flat = {shape.Width, shape.Height, shape.Format, shape.NumChannels};
    }
    return result;
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* shape, CUarray array) {
    return describe("cuArray3DGetDescriptor_v2", array, shape);
}

CUresult cuArrayDestroy(CUarray array) {
    return in_context("cuArrayDestroy", [=](Driver& driver, CUcontext context, auto& lock) {
        if (driver.arrays.count(array) == 0) return CUDA_ERROR_INVALID_HANDLE;
        if (array->parent != nullptr) return CUDA_SUCCESS;  // measured; the level stays
        const CUdeviceptr memory = array->memory;
        driver.arrays.erase(array);
        delete array;
        return release_memory(driver, context, memory, lock);
    });
}

CUresult cuMipmappedArrayCreate(CUmipmappedArray* mipmap, const CUDA_ARRAY3D_DESCRIPTOR* shape,
                                unsigned levels) {
    return in_context("cuMipmappedArrayCreate", [=](Driver& driver, CUcontext context, auto&) {
        const CUresult result = mipmap != nullptr ? check(shape) : CUDA_ERROR_INVALID_VALUE;
        if (result != CUDA_SUCCESS) return result;
        // One at least, and no more than down to one texel.
        unsigned most = 1;
        for (std::size_t extent = std::max({shape->Width, shape->Height, shape->Depth}); extent > 1;
             extent /= 2) {
            ++most;
        }
        return create_levels(driver, context, *mipmap, *shape, std::clamp(levels, 1U, most));
    });
}

CUresult cuMipmappedArrayGetLevel(CUarray* array, CUmipmappedArray mipmap, unsigned level) {
    return in_context("cuMipmappedArrayGetLevel", [=](Driver& driver, CUcontext, auto&) {
        if (driver.mipmaps.count(mipmap) == 0) return CUDA_ERROR_INVALID_HANDLE;
        if (array == nullptr || level >= mipmap->levels.size()) return CUDA_ERROR_INVALID_VALUE;
        *array = mipmap->levels[level];
        return CUDA_SUCCESS;
    });
}

CUresult cuMipmappedArrayDestroy(CUmipmappedArray mipmap) {
    return in_context("cuMipmappedArrayDestroy",
                      [=](Driver& driver, CUcontext context, auto& lock) {
                          if (driver.mipmaps.erase(mipmap) == 0) return CUDA_ERROR_INVALID_HANDLE;
                          for (CUarray level : mipmap->levels) {
                              driver.arrays.erase(level);
                              delete level;
                          }
                          const CUdeviceptr memory = mipmap->memory;
                          delete mipmap;
                          return release_memory(driver, context, memory, lock);
                      });
}
