// Finds out whether the kernel takes the grant's masks, before HIP depends on it.
#pragma once

#include "shim/amd/plan.h"
#include "shim/engine/boundary.h"

namespace ration::engine {

// To be called once the HSA runtime is initialised, outside of its calls. What becomes of a mask is
// told where every queue gets its own (amd::Queues).
//
// Makes a queue on the first of HIP's devices of each generation: by the
// generation the kernel decides whether CUs go in pairs. The kernel looks for the queue before it
// judges a mask (pqm_update_mqd), so nothing less than a queue proves anything; and a queue takes
// memory for saved waves, of sizes that depend on GPU and kernel, which are ROCr's to know.
//
// The first queue of a GPU brings along one that ROCr keeps until it is shut down
// (GpuAgent::QueueCreate). The one that is tried stays too: ROCr 5.2.3 may wait for ever in
// hsa_queue_destroy right after hsa_queue_create, where its event thread and the caller wait for
// one event that resets itself (run: 6 of 936 processes, simulated kernel driver, without ration).
// A queue that cannot be had for another reason is the program's to meet.
void try_masks(const ration_front& front, const amd::Plan& plan);

}  // namespace ration::engine
