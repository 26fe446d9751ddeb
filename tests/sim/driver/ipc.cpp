// Handles for other processes: handed out, but nobody can open them, since this driver's memory is
// each process's own.
#include <cstring>

#include "tests/sim/driver/on_graph.h"

using sim::Driver;
using sim::MemoryKind;

namespace {

template <typename Handle>
CUresult fill(Handle* handle, std::uint64_t value) {
    *handle = {};
    std::memcpy(handle->reserved, &value, sizeof value);
    return CUDA_SUCCESS;
}

}  // namespace

// Of what cuMemAlloc gave (documented).
CUresult cuIpcGetMemHandle(CUipcMemHandle* handle, CUdeviceptr memory) {
    const auto known = [=](Driver& driver) {
        const auto found = driver.allocations.find(memory);
        return handle != nullptr && found != driver.allocations.end() &&
               found->second.kind == MemoryKind::Device;
    };
    return sim::if_valid("cuIpcGetMemHandle", known, [=](Driver&) { return fill(handle, memory); });
}

CUresult cuIpcGetEventHandle(CUipcEventHandle* handle, CUevent event) {
    const auto known = [=](Driver& driver) {
        return handle != nullptr && driver.events.count(event) != 0;
    };
    return sim::if_valid("cuIpcGetEventHandle", known, [=](Driver&) {
        if ((event->flags & CU_EVENT_INTERPROCESS) == 0) return CUDA_ERROR_INVALID_HANDLE;
        return fill(handle, reinterpret_cast<std::uint64_t>(event));
    });
}
