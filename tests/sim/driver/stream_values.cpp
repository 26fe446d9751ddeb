// Words of memory that streams write and wait for (cuStreamWriteValue32 and its like).
#include "tests/sim/driver/on_stream.h"

using sim::Driver;
using sim::or_own;
using sim::Task;

namespace {

constexpr unsigned kWaitKinds = CU_STREAM_WAIT_VALUE_NOR;  // the highest; all lower ones are kinds

template <typename Value>
bool reached(const Value* word, Value wanted, unsigned kind) {
    const Value now = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    switch (kind) {
        case CU_STREAM_WAIT_VALUE_GEQ:  // cyclic (cuda.h)
            return static_cast<std::make_signed_t<Value>>(now - wanted) >= 0;
        case CU_STREAM_WAIT_VALUE_EQ:
            return now == wanted;
        case CU_STREAM_WAIT_VALUE_AND:
            return (now & wanted) != 0;
        default:
            return static_cast<Value>(~(now | wanted)) != 0;
    }
}

template <typename Value>
Value* word_at(const Driver& driver, CUdeviceptr address) {
    const bool usable = address % sizeof(Value) == 0 && driver.covers(address, sizeof(Value));
    return usable ? reinterpret_cast<Value*>(address) : nullptr;
}

template <typename Value>
CUresult wait_task(const Driver& driver, CUdeviceptr address, Value value, unsigned flags,
                   Task& task) {
    const Value* word = word_at<Value>(driver, address);
    const unsigned kind = flags & ~static_cast<unsigned>(CU_STREAM_WAIT_VALUE_FLUSH);
    if (word == nullptr || kind > kWaitKinds) return CUDA_ERROR_INVALID_VALUE;
    task.run = [] {};
    task.ready = [=] { return reached(word, value, kind); };
    return CUDA_SUCCESS;
}

template <typename Value>
CUresult write_task(const Driver& driver, CUdeviceptr address, Value value, unsigned flags,
                    Task& task) {
    Value* word = word_at<Value>(driver, address);
    if (word == nullptr || flags > CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    task.run = [=] { __atomic_store_n(word, value, __ATOMIC_RELEASE); };
    return CUDA_SUCCESS;
}

template <typename Make>
CUresult one(const char* symbol, CUstream handle, Make&& make) {
    return sim::on_stream(symbol, handle, [&](Driver& driver, CUstream stream, auto&) {
        Task task;
        const CUresult result = make(driver, task);
        return result == CUDA_SUCCESS ? driver.enqueue(stream, std::move(task)) : result;
    });
}

template <typename Value>
CUresult wait(const char* symbol, CUstream stream, CUdeviceptr address, Value value,
              unsigned flags) {
    return one(symbol, stream, [=](const Driver& driver, Task& task) {
        return wait_task(driver, address, value, flags, task);
    });
}

template <typename Value>
CUresult write(const char* symbol, CUstream stream, CUdeviceptr address, Value value,
               unsigned flags) {
    return one(symbol, stream, [=](const Driver& driver, Task& task) {
        return write_task(driver, address, value, flags, task);
    });
}

CUresult task_of(const Driver& driver, const CUstreamBatchMemOpParams& operation, Task& task) {
    const auto& waits = operation.waitValue;
    const auto& writes = operation.writeValue;
    switch (operation.operation) {
        case CU_STREAM_MEM_OP_WAIT_VALUE_32:
            return wait_task(driver, waits.address, waits.value, waits.flags, task);
        case CU_STREAM_MEM_OP_WAIT_VALUE_64:
            return wait_task(driver, waits.address, waits.value64, waits.flags, task);
        case CU_STREAM_MEM_OP_WRITE_VALUE_32:
            return write_task(driver, writes.address, writes.value, writes.flags, task);
        case CU_STREAM_MEM_OP_WRITE_VALUE_64:
            return write_task(driver, writes.address, writes.value64, writes.flags, task);
        case CU_STREAM_MEM_OP_BARRIER:
        case CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES:
            task.run = [] {};
            return CUDA_SUCCESS;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

// All or none of them, one after the other.
CUresult batch(const char* symbol, CUstream handle, unsigned count,
               const CUstreamBatchMemOpParams* operations, unsigned flags) {
    return sim::on_stream(symbol, handle, [=](Driver& driver, CUstream stream, auto&) {
        constexpr unsigned kMost = 256;
        if (count == 0 || count > kMost || operations == nullptr || flags != 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        std::vector<Task> tasks(count);
        for (unsigned i = 0; i < count; ++i) {
            const CUresult result = task_of(driver, operations[i], tasks[i]);
            if (result != CUDA_SUCCESS) return result;
        }
        CUresult result = CUDA_SUCCESS;
        for (Task& task : tasks) {
            if (result == CUDA_SUCCESS) result = driver.enqueue(stream, std::move(task));
        }
        return result;
    });
}

}  // namespace

#define SIM_STREAM_VALUE(name, Value, act)                                                    \
    CUresult name(CUstream stream, CUdeviceptr address, Value value, unsigned flags) {        \
        return act<Value>(#name, stream, address, value, flags);                              \
    }                                                                                         \
    CUresult name##_ptsz(CUstream stream, CUdeviceptr address, Value value, unsigned flags) { \
        return act<Value>(#name "_ptsz", or_own(stream), address, value, flags);              \
    }

SIM_STREAM_VALUE(cuStreamWaitValue32_v2, cuuint32_t, wait)
SIM_STREAM_VALUE(cuStreamWaitValue64_v2, cuuint64_t, wait)
SIM_STREAM_VALUE(cuStreamWriteValue32_v2, cuuint32_t, write)
SIM_STREAM_VALUE(cuStreamWriteValue64_v2, cuuint64_t, write)

CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned count,
                               CUstreamBatchMemOpParams* operations, unsigned flags) {
    return batch("cuStreamBatchMemOp_v2", stream, count, operations, flags);
}
CUresult cuStreamBatchMemOp_v2_ptsz(CUstream stream, unsigned count,
                                    CUstreamBatchMemOpParams* operations, unsigned flags) {
    return batch("cuStreamBatchMemOp_v2_ptsz", or_own(stream), count, operations, flags);
}
