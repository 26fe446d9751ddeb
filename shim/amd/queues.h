// The compute queues of this process and their masks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "shim/amd/kfd.h"
#include "shim/amd/plan.h"

namespace ration::amd {

// Every queue that runs work-groups gets the mask of its GPU before the program hears of it. (DMA
// queues have no CUs.) Queues are known by number, which the kernel gives out once a process at a
// time, whichever descriptor asks.
//
// A lock is held across the kernel's calls, as the kernel itself holds one for the process
// (kfd_process's mutex): a number that is free again must not meet what is remembered of the queue
// that had it before. Meanwhile the thread's signal handlers wait, as long as a mask may be put off
// (see below): one that left by longjmp would leave a queue without its mask, and the lock taken.
class Queues {
  public:
    // What the owner is told, with the lock held.
    struct Events {
        std::function<void()> masked;                          // the kernel took a mask
        std::function<void(const std::string&)> not_masked;    // it did not: a line that says why
        std::function<void(const std::string&)> asked_beyond;  // a mask without a CU of the grant
    };

    // `is_device`: whether a descriptor is the device file at this moment. `unmasked_too`: a queue
    // lives although the kernel takes no mask for it (on_error = "warn").
    Queues(kfd::Ioctl real, std::function<bool(int descriptor)> is_device,
           std::vector<DeviceLimit> limits, Events events, bool unmasked_too);

    // Requests kCreateQueue, kSetCuMask and kDestroyQueue, answered as ioctl(2) does. What is
    // malformed goes to the kernel, which refuses it.
    //
    // A queue that cannot be masked is destroyed again, and the kernel's errno of the mask is the
    // answer. A queue on a GPU that the grant does not have: EPERM.
    //
    // A mask that the kernel keeps putting off (EINTR, EAGAIN) is tried for half a second, and then
    // failed with EIO or EBUSY, which nobody repeats without end.
    int create(const kfd::Call& call);
    // Both the program's mask and the grant's hold. EINVAL where nothing is left; the queue then
    // keeps the mask that it has. For a queue that did not come by here nobody knows which grant
    // holds: EFAULT, as the kernel answers for a queue that is not there (pqm_update_mqd).
    int set_mask(const kfd::Call& call);
    int destroy(const kfd::Call& call);

    struct Failed {
        std::uint32_t queue;
        std::uint32_t gpu_id;
        int error;  // errno: EBUSY while a debugger holds the queue's masks, EBADF if the program
                    // has closed the device file
    };
    struct Replaced {
        unsigned changed = 0;
        std::vector<Failed> failed;  // these keep their mask; a second call tries them again
    };
    // Gives the grant's GPUs new masks, which hold for later queues too, and puts them on all live
    // queues, one kernel call after the other without a pause: each one halts the GPU's queues for
    // a moment where the part has no scheduler firmware of its own. What a program asked for its
    // queue stays asked: the queue has what both allow, or the grant where that is nothing.
    //
    // By the descriptor that was served last and is still the device file: the program may have
    // closed that of a queue, and opened something else in its place. Any of them reaches all
    // queues of the process.
    Replaced replace(std::vector<DeviceLimit> limits);

    // What holds at this moment.
    std::vector<DeviceLimit> limits() const;

    unsigned live() const;

  private:
    struct Queue {
        std::uint32_t gpu_id;
        Mask asked;    // by the program; empty: nothing
        Mask applied;  // empty: none
    };

    const DeviceLimit* find(std::uint32_t gpu_id) const;
    // 0 or an errno, which is neither EINTR nor EAGAIN: these are tried again until `until`.
    int apply(int descriptor, std::uint32_t queue, const Mask& mask,
              std::chrono::steady_clock::time_point until) const;
    int set_mask_of_unknown(const kfd::Call& call) const;
    // The kernel has served the process by this descriptor.
    void served(int descriptor);
    int descriptor() const;  // -1: none is left
    int withdraw(const kfd::Call& call, std::uint32_t queue, int error) const;

    const kfd::Ioctl real_;
    const std::function<bool(int)> is_device_;
    const Events events_;
    const bool unmasked_too_;
    mutable std::mutex mutex_;
    std::vector<DeviceLimit> limits_;
    std::map<std::uint32_t, Queue> queues_;
    std::vector<int> descriptors_;  // each once, the one that was served last at the end
};

}  // namespace ration::amd
