// What calls that copy and fill have in common. What a call without Async in its name waits for is
// NVIDIA's table of synchronous behaviour: copies from and to the host until they are done, the
// rest not at all.
#pragma once
#include <utility>

#include "tests/sim/driver/on_stream.h"

namespace sim {

struct Range {
    CUdeviceptr pointer;
    std::size_t bytes;
};

// What a call waits for. In a capture only work that nobody waits for can be done.
enum class Until { Submitted, Done };

inline Task copying(std::function<void()> run) {
    return {std::move(run), nullptr, nullptr, CU_GRAPH_NODE_TYPE_MEMCPY};
}

// Enqueues the task, and waits if that is asked.
inline CUresult submit(Driver& driver, CUstream stream, std::unique_lock<std::mutex>& lock,
                       Until until, Task task) {
    CUresult result = until == Until::Done ? progress_known(stream) : CUDA_SUCCESS;
    if (result == CUDA_SUCCESS) result = driver.enqueue(stream, std::move(task));
    if (result == CUDA_SUCCESS && until == Until::Done) {
        driver.worker.wait(lock, WorkPtr(stream->tail));
    }
    return result;
}

// Enqueues `run` if the ranges are device memory (or pinned). In a graph that is a `node`.
template <typename Run>
CUresult on_memory(const char* symbol, CUstream handle, std::initializer_list<Range> ranges,
                   Until until, Run&& run, CUgraphNodeType node = CU_GRAPH_NODE_TYPE_MEMCPY) {
    return on_stream(symbol, handle, [&](Driver& driver, CUstream stream, auto& lock) {
        for (const Range& range : ranges) {
            if (range.bytes == 0) return CUDA_SUCCESS;
            if (!driver.covers(range.pointer, range.bytes)) return CUDA_ERROR_INVALID_VALUE;
        }
        Task task{std::forward<Run>(run)};
        task.node = node;
        return submit(driver, stream, lock, until, std::move(task));
    });
}

inline void* host(CUdeviceptr pointer) { return reinterpret_cast<void*>(pointer); }

inline bool pageable(const Driver& driver, const void* pointer, std::size_t bytes) {
    return !driver.covers(reinterpret_cast<CUdeviceptr>(pointer), bytes);
}

}  // namespace sim
