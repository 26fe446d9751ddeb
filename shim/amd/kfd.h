// The requests of /dev/kfd that bear on a grant.
//
// Their structures have grown from kernel to kernel and their request numbers with them, since the
// size is part of the number: kfd_ioctl() (kfd_chardev.c) takes any size and fills what is missing
// with zeroes. So a request is known by type and number alone, and only fields are touched that
// have been there since the kernels of ROCm 5.2.
#pragma once

#include <linux/kfd_ioctl.h>

#include "shim/amd/api.h"

namespace ration::amd::kfd {

enum class Request {
    kCreateQueue,
    kDestroyQueue,
    kSetCuMask,
    kAllocateMemory,
    kFreeMemory,
    kAvailableMemory,
    kOther,
};

constexpr Request request_of(unsigned long number) {
    if (_IOC_TYPE(number) != AMDKFD_IOCTL_BASE) return Request::kOther;
    switch (_IOC_NR(number)) {
        case _IOC_NR(AMDKFD_IOC_CREATE_QUEUE):
            return Request::kCreateQueue;
        case _IOC_NR(AMDKFD_IOC_DESTROY_QUEUE):
            return Request::kDestroyQueue;
        case _IOC_NR(AMDKFD_IOC_SET_CU_MASK):
            return Request::kSetCuMask;
        case _IOC_NR(AMDKFD_IOC_ALLOC_MEMORY_OF_GPU):
            return Request::kAllocateMemory;
        case _IOC_NR(AMDKFD_IOC_FREE_MEMORY_OF_GPU):
            return Request::kFreeMemory;
        case 0x23:  // AMDKFD_IOC_AVAILABLE_MEMORY: the youngest, which older headers lack
            return Request::kAvailableMemory;
        default:
            return Request::kOther;
    }
}

// Of AMDKFD_IOC_AVAILABLE_MEMORY.
struct AvailableMemory {
    __u64 available;  // bytes, from the kernel
    __u32 gpu_id;
    __u32 pad;
};

// A program's call as it reached us; `argument` points to the request's structure.
struct Call {
    int descriptor;
    unsigned long number;
    void* argument;

    template <class Structure>
    Structure& as() const {
        return *static_cast<Structure*>(argument);
    }
};

// The ioctl behind us. Answers as ioctl(2): -1 and errno where it fails.
using Ioctl = type::ioctl*;

inline int pass(Ioctl real, const Call& call) {
    return real(call.descriptor, call.number, call.argument);
}

}  // namespace ration::amd::kfd
