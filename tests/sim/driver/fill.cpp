// Fills, of rows as well: each for values of one, two and four bytes.
#include <cstring>

#include "tests/sim/driver/copy.h"

using sim::or_own;
using sim::Until;

namespace {

struct Rows {
    CUdeviceptr first;
    std::size_t pitch;
    std::size_t width;  // in values
    std::size_t height;
};

template <typename Value>
CUresult fill(const char* symbol, CUstream stream, const Rows& rows, Value value) {
    const std::size_t bytes = rows.width * sizeof value;
    const bool nothing = bytes == 0 || rows.height == 0;
    const std::size_t all = nothing ? 0 : (rows.height - 1) * rows.pitch + bytes;
    const auto run = [=] {
        for (std::size_t row = 0; row < rows.height; ++row) {
            char* next = static_cast<char*>(sim::host(rows.first + row * rows.pitch));
            for (std::size_t i = 0; i < rows.width; ++i, next += sizeof value) {
                std::memcpy(next, &value, sizeof value);
            }
        }
    };
    return sim::on_memory(symbol, stream, {{rows.first, all}}, Until::Submitted, run,
                          CU_GRAPH_NODE_TYPE_MEMSET);
}

template <typename Value>
CUresult fill(const char* symbol, CUstream stream, CUdeviceptr first, Value value,
              std::size_t count) {
    return fill(symbol, stream, Rows{first, 0, count, 1}, value);
}

}  // namespace

// name: without its versions and variants.
#define SIM_FILL(name, Value)                                                                  \
    CUresult name##_v2(CUdeviceptr first, Value value, std::size_t count) {                    \
        return fill(#name "_v2", nullptr, first, value, count);                                \
    }                                                                                          \
    CUresult name##_v2_ptds(CUdeviceptr first, Value value, std::size_t count) {               \
        return fill(#name "_v2_ptds", or_own(nullptr), first, value, count);                   \
    }                                                                                          \
    CUresult name##Async(CUdeviceptr first, Value value, std::size_t count, CUstream stream) { \
        return fill(#name "Async", stream, first, value, count);                               \
    }                                                                                          \
    CUresult name##Async_ptsz(CUdeviceptr first, Value value, std::size_t count,               \
                              CUstream stream) {                                               \
        return fill(#name "Async_ptsz", or_own(stream), first, value, count);                  \
    }
#define SIM_FILL_ROWS(name, Value)                                                                 \
    CUresult name##_v2(CUdeviceptr first, std::size_t pitch, Value value, std::size_t width,       \
                       std::size_t height) {                                                       \
        return fill(#name "_v2", nullptr, Rows{first, pitch, width, height}, value);               \
    }                                                                                              \
    CUresult name##_v2_ptds(CUdeviceptr first, std::size_t pitch, Value value, std::size_t width,  \
                            std::size_t height) {                                                  \
        return fill(#name "_v2_ptds", or_own(nullptr), Rows{first, pitch, width, height}, value);  \
    }                                                                                              \
    CUresult name##Async(CUdeviceptr first, std::size_t pitch, Value value, std::size_t width,     \
                         std::size_t height, CUstream stream) {                                    \
        return fill(#name "Async", stream, Rows{first, pitch, width, height}, value);              \
    }                                                                                              \
    CUresult name##Async_ptsz(CUdeviceptr first, std::size_t pitch, Value value,                   \
                              std::size_t width, std::size_t height, CUstream stream) {            \
        return fill(#name "Async_ptsz", or_own(stream), Rows{first, pitch, width, height}, value); \
    }

SIM_FILL(cuMemsetD8, unsigned char)
SIM_FILL(cuMemsetD16, unsigned short)
SIM_FILL(cuMemsetD32, unsigned)
SIM_FILL_ROWS(cuMemsetD2D8, unsigned char)
SIM_FILL_ROWS(cuMemsetD2D16, unsigned short)
SIM_FILL_ROWS(cuMemsetD2D32, unsigned)
