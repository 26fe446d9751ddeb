// The simulated amdkfd of one process: what is behind the device files.
#pragma once
#include <memory>
#include <string>

#include "tests/sim/kfd/devices.h"
#include "tests/sim/kfd/events.h"
#include "tests/sim/kfd/faults.h"
#include "tests/sim/kfd/memory.h"
#include "tests/sim/kfd/models.h"
#include "tests/sim/kfd/queues.h"

namespace sim::kfd {

class Kernel {
  public:
    // That of this process, made when it is first asked for, from SIM_KFD_* as they are then. A
    // forked child gets its own: queues and memory stay the parent's. Never destroyed, because
    // ROCr's threads are still in here when exit() runs.
    static Kernel& get();

    Kernel(const std::string& gpus, const std::string& faults);

    // 0 or -errno, as kfd_ioctl().
    int ioctl(unsigned long request, void* argument);

    Node node;
    Faults faults;
    Devices devices;
    Events events;
    Memory memory;
    Queues queues;
    void* event_page = nullptr;
};

}  // namespace sim::kfd
