// Copies and fills in the implicit stream, as their asynchronous forms and what is waited for.
#pragma once

#include <array>
#include <type_traits>

#include "shim/cuda/stream/entry.h"

namespace ration::cuda::stream {

// The row of the asynchronous form of an implicit row: cuMemcpyHtoD_v2_ptds ->
// cuMemcpyHtoDAsync_v2. Never one in _ptsz: it gets a stream by name. Entry::kEnd where CUDA has
// none.
template <Entry entry>
constexpr Entry asynchronous_form() {
    constexpr std::string_view symbol = Row<entry>::symbol;
    constexpr std::string_view family = Row<entry>::family;
    constexpr std::string_view async = "Async";
    constexpr std::string_view rest =
        symbol.substr(family.size(), symbol.size() - family.size() - (kOwnDefault<entry> ? 5 : 0));
    std::array<char, 64> name{};
    std::size_t size = 0;
    for (const std::string_view part : {family, async, rest}) {
        for (const char letter : part) name[size++] = letter;
    }
    const Entry found = entry_named({name.data(), size});
    // Fills have no second version of it.
    return found != Entry::kEnd ? found : entry_named({name.data(), size - rest.size()});
}

// The one-dimensional copies between arrays, and between an array and the device, have none: they
// are rows of one line.
struct Line {
    CUDA_MEMCPY2D copy{};

    Line(std::size_t bytes) {
        copy.WidthInBytes = bytes;
        copy.Height = 1;
    }
    Line& from(CUarray array, std::size_t offset);
    Line& from(CUdeviceptr pointer);
    Line& to(CUarray array, std::size_t offset);
    Line& to(CUdeviceptr pointer);
};

inline Line line(CUarray to, std::size_t at, CUdeviceptr from, std::size_t bytes) {
    return Line(bytes).to(to, at).from(from);
}
inline Line line(CUdeviceptr to, CUarray from, std::size_t at, std::size_t bytes) {
    return Line(bytes).to(to).from(from, at);
}
inline Line line(CUarray to, std::size_t at, CUarray from, std::size_t from_at, std::size_t bytes) {
    return Line(bytes).to(to, at).from(from, from_at);
}

inline CUresult without_form(CUstream stream, const CUDA_MEMCPY2D* copy) {
    return real.cuMemcpy2DAsync_v2(copy, stream);
}
inline CUresult without_form(CUstream stream, const CUDA_MEMCPY2D_v1* copy) {
    return real.cuMemcpy2DAsync(copy, stream);
}
template <class... A>
CUresult without_form(CUstream stream, A... arguments) {
    const Line row = line(arguments...);
    return real.cuMemcpy2DAsync_v2(&row.copy, stream);
}

template <Entry entry, class... A>
CUresult asynchronous(CUstream stream, A... arguments) {
    constexpr Entry form = asynchronous_form<entry>();
    if constexpr (form != Entry::kEnd) {
        return Row<form>::driver()(arguments..., stream);
    } else {
        return without_form(stream, arguments...);
    }
}

// Where memory lies, as far as waiting goes.
enum class Memory { kDevice, kPinned, kManaged, kUnknown };
Memory memory_at(CUdeviceptr pointer);

// NVIDIA's table "API synchronization behavior" of the driver API: a copy from or to the host is
// waited for, one within the device is not.
inline bool is_host(CUmemorytype type, CUdeviceptr unified) {
    return type == CU_MEMORYTYPE_HOST ||
           (type == CU_MEMORYTYPE_UNIFIED && memory_at(unified) != Memory::kDevice);
}
template <class Copy>
bool copy_is_waited_for(const Copy* copy) {
    return is_host(copy->srcMemoryType, copy->srcDevice) ||
           is_host(copy->dstMemoryType, copy->dstDevice);
}
inline bool copy_is_waited_for(CUdeviceptr to, CUdeviceptr from, std::size_t) {
    return memory_at(to) != Memory::kDevice || memory_at(from) != Memory::kDevice;
}

// And a fill is waited for if it is one of pinned host memory, or of managed memory.
template <class... A>
bool fill_is_waited_for(CUdeviceptr to, A...) {
    const Memory memory = memory_at(to);
    return memory == Memory::kPinned || memory == Memory::kManaged;
}

template <Entry entry, class... A>
bool is_waited_for(A... arguments) {
    constexpr std::string_view family = Row<entry>::family;
    if constexpr (family.starts_with("cuMemset")) {
        return fill_is_waited_for(arguments...);
    } else if constexpr (family == "cuMemcpyPeer" || family == "cuMemcpyDtoD" ||
                         family == "cuMemcpyDtoA" || family == "cuMemcpyAtoD" ||
                         family == "cuMemcpyAtoA") {
        return false;
    } else if constexpr (family.starts_with("cuMemcpyHto") || family.ends_with("toH")) {
        return true;
    } else {
        return copy_is_waited_for(arguments...);
    }
}

}  // namespace ration::cuda::stream
