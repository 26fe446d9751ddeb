// A KFD driver for the tests of queues and quota: plain functions over one global state, which any
// thread may call.
#pragma once

#include <errno.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "shim/amd/cu_mask.h"
#include "shim/amd/kfd.h"

namespace ration::amd {

struct FakeKernel {
    std::mutex mutex;
    // Answers a request before the driver does: an errno, or 0 to go on. Called with the lock held.
    std::function<int(unsigned number)> fails;
    std::map<std::uint32_t, Mask> queues;  // live ones; empty: no mask
    std::vector<Mask> masks;               // all that were accepted, in order
    std::map<std::uint64_t, kfd_ioctl_alloc_memory_of_gpu_args> memory;  // by handle
    std::uint64_t available = 64ULL << 30U;
    int calls = 0;
    std::set<int> closed;  // descriptors that are not the device file any more
    // Something that another thread does before a FREE returns to its caller.
    std::function<void()> meanwhile;

    // The lowest free number, as the kernel gives them out: numbers are used again at once.
    std::uint32_t create() {
        std::uint32_t number = 0;
        while (queues.contains(number)) ++number;
        queues[number] = {};
        return number;
    }

    // As kfd_ioctl_set_cu_mask and pqm_update_mqd.
    int set_mask(const kfd_ioctl_set_cu_mask_args& request) {
        if (request.num_cu_mask == 0 || request.num_cu_mask % 32 != 0) return EINVAL;
        if (request.cu_mask_ptr == 0) return EFAULT;
        if (!queues.contains(request.queue_id)) return EFAULT;
        const auto* words = reinterpret_cast<const std::uint32_t*>(request.cu_mask_ptr);
        masks.emplace_back(words, words + request.num_cu_mask / 32);
        queues[request.queue_id] = masks.back();
        return 0;
    }

    int answer(unsigned number, void* argument) {
        const std::lock_guard lock(mutex);
        ++calls;
        if (fails) {
            if (const int error = fails(number)) return error;
        }
        switch (number) {
            case _IOC_NR(AMDKFD_IOC_CREATE_QUEUE):
                static_cast<kfd_ioctl_create_queue_args*>(argument)->queue_id = create();
                return 0;
            case _IOC_NR(AMDKFD_IOC_DESTROY_QUEUE):
                return queues.erase(
                           static_cast<kfd_ioctl_destroy_queue_args*>(argument)->queue_id) == 1
                           ? 0
                           : EINVAL;
            case _IOC_NR(AMDKFD_IOC_SET_CU_MASK):
                return set_mask(*static_cast<kfd_ioctl_set_cu_mask_args*>(argument));
            case _IOC_NR(AMDKFD_IOC_ALLOC_MEMORY_OF_GPU): {
                auto& request = *static_cast<kfd_ioctl_alloc_memory_of_gpu_args*>(argument);
                // The lowest free one: handles are used again too.
                request.handle = 1;
                while (memory.contains(request.handle)) ++request.handle;
                memory[request.handle] = request;
                return 0;
            }
            case _IOC_NR(AMDKFD_IOC_FREE_MEMORY_OF_GPU):
                return memory.erase(
                           static_cast<kfd_ioctl_free_memory_of_gpu_args*>(argument)->handle) == 1
                           ? 0
                           : EINVAL;
            case 0x23:
                static_cast<kfd::AvailableMemory*>(argument)->available = available;
                return 0;
            default:
                return EINVAL;
        }
    }
};

// The one that fake_ioctl() speaks to. Set by the test.
inline FakeKernel* kernel = nullptr;

inline int fake_ioctl(int descriptor, unsigned long number, void* argument) {
    const int error =
        kernel->closed.contains(descriptor) ? EBADF : kernel->answer(_IOC_NR(number), argument);
    if (kernel->meanwhile && _IOC_NR(number) == _IOC_NR(AMDKFD_IOC_FREE_MEMORY_OF_GPU)) {
        std::exchange(kernel->meanwhile, nullptr)();
    }
    if (error == 0) return 0;
    errno = error;
    return -1;
}

}  // namespace ration::amd
