// One user-mode queue and the packet processors that empty it. A packet is taken as soon as its
// turn has come; nothing here waits, so one thread can serve all queues.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/sim/kfd/cu_mask.h"
#include "tests/sim/kfd/events.h"
#include "tests/sim/kfd/memory.h"

namespace sim::kfd {

struct Queue {
    unsigned id = 0;
    const Gpu* gpu = nullptr;
    std::uint32_t type = 0;  // KFD_IOC_QUEUE_TYPE_*
    std::uint32_t priority = 0;
    std::uint32_t percent = 0;  // 0: nothing is taken
    std::byte* ring = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t* read = nullptr;
    std::uint64_t* write = nullptr;
    std::uint64_t* doorbell = nullptr;

    Mask mask;  // empty: never set
    std::uint64_t dispatches = 0;
    std::uint64_t barriers = 0;
    std::uint64_t copies = 0;

    bool is_sdma() const;
    bool is_aql() const { return type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL; }
};

// What packets act upon.
struct Machine {
    Memory& memory;
    Events& events;
};

// Each takes one packet if there is one that can be finished now. False if not.
bool step_aql(Queue& queue, Machine& machine);
bool step_sdma(Queue& queue, Machine& machine);

// The GPU's clock: 100 MHz.
std::uint64_t gpu_clock();

}  // namespace sim::kfd
