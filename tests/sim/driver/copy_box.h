// Copies whose two sides may be of any kind and shape.
#pragma once
#include <functional>

#include "tests/sim/driver/copy.h"

namespace sim {

// One side: rows of bytes, and layers of rows.
struct Box {
    char* first = nullptr;
    std::size_t pitch = 0;
    std::size_t layer = 0;
    bool on_host = false;
    bool pageable = false;
};

struct Extent {
    std::size_t bytes;  // of a row
    std::size_t rows = 1;
    std::size_t layers = 1;
};

struct BoxCopy {
    Box to;
    Box from;
    Extent extent{0};
};

// Bytes one after the other, wherever they are (CU_MEMORYTYPE_UNIFIED): what isn't known to the
// driver is the program's own.
CUresult find_unified(const Driver& driver, CUdeviceptr pointer, std::size_t bytes, Box& box);
// The same in device memory, and from a byte of an array on.
CUresult find_device(const Driver& driver, CUdeviceptr pointer, std::size_t bytes, Box& box);
CUresult find_array(const Driver& driver, CUarray array, std::size_t offset, std::size_t bytes,
                    Box& box);
void find_host(const Driver& driver, const void* pointer, std::size_t bytes, Box& box);
// The sides of cuda.h's descriptions.
CUresult find_boxes(const Driver& driver, const CUDA_MEMCPY3D& shape, BoxCopy& copy);
CUDA_MEMCPY3D in_space(const CUDA_MEMCPY2D& flat);
CUDA_MEMCPY3D without_contexts(const CUDA_MEMCPY3D_PEER& peer);

enum class Form { Synchronous, Async };
// Copies what `find(driver, copy)` names.
CUresult copy_boxes(const char* symbol, CUstream handle, Form form,
                    const std::function<CUresult(Driver&, BoxCopy&)>& find);

}  // namespace sim
