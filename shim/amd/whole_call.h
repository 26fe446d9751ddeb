// A program's request with the structure that we and the kernel look at.
#pragma once

#include <cstring>

#include "shim/amd/kfd.h"

namespace ration::amd::kfd {

// The structure's size is part of a request's number, and what a short one lacks is zero to the
// kernel (kfd_ioctl() in kfd_chardev.c), whatever lies behind it in memory. So of a short one a
// filled copy is judged and handed on, and the kernel's answer goes back as far as the program has
// room for it. Any other stays as it is.
class WholeCall {
  public:
    // The argument can be read, as far as the number says.
    explicit WholeCall(const Call& call) : programs_(call), call_(call) {
        const unsigned long whole = whole_number(request_of(call.number));
        if (_IOC_SIZE(call.number) >= _IOC_SIZE(whole)) return;
        std::memcpy(&copy_, call.argument, _IOC_SIZE(call.number));
        call_.number = whole;
        call_.argument = &copy_;
    }
    ~WholeCall() {
        const bool answers = (_IOC_DIR(call_.number) & _IOC_READ) != 0;
        if (call_.argument != &copy_ || !answers) return;
        std::memcpy(programs_.argument, &copy_, _IOC_SIZE(programs_.number));
    }
    WholeCall(const WholeCall&) = delete;
    WholeCall& operator=(const WholeCall&) = delete;

    const Call& call() const { return call_; }

  private:
    union Structure {
        kfd_ioctl_create_queue_args create;
        kfd_ioctl_destroy_queue_args destroy;
        kfd_ioctl_set_cu_mask_args mask;
        kfd_ioctl_alloc_memory_of_gpu_args allocate;
        kfd_ioctl_free_memory_of_gpu_args free;
        AvailableMemory available;
    };

    static constexpr unsigned long whole_number(Request request) {
        switch (request) {
            case Request::kCreateQueue:
                return AMDKFD_IOC_CREATE_QUEUE;
            case Request::kDestroyQueue:
                return AMDKFD_IOC_DESTROY_QUEUE;
            case Request::kSetCuMask:
                return AMDKFD_IOC_SET_CU_MASK;
            case Request::kAllocateMemory:
                return AMDKFD_IOC_ALLOC_MEMORY_OF_GPU;
            case Request::kFreeMemory:
                return AMDKFD_IOC_FREE_MEMORY_OF_GPU;
            case Request::kAvailableMemory:
                return AMDKFD_IOWR(0x23, AvailableMemory);
            case Request::kOther:
                break;
        }
        return 0;
    }

    const Call programs_;
    Call call_;
    Structure copy_{};
};

}  // namespace ration::amd::kfd
