// Finds out whether the kernel takes the grant's masks, before the program depends on it.
#pragma once

#include <vector>

#include "shim/amd/kfd.h"
#include "shim/amd/plan.h"
#include "shim/engine/boundary.h"

namespace ration::engine {

// To be called once the HSA runtime is initialised, outside of its calls. What becomes of a mask is
// told where every queue gets its own (amd::Queues).
//
// The kernel is asked for the mask of a queue that does not exist, which costs a few system calls.
// It looks at the request before it looks for the queue (kfd_ioctl_set_cu_mask, pqm_update_mqd), so
// that EFAULT, its word for a missing queue, means that it has nothing against the mask. Any other
// answer is no proof: then a queue is made, and destroyed again, on a GPU of each generation that
// gets a mask. Not otherwise, since the first queue of a GPU brings along one that ROCr keeps
// (GpuAgent::QueueCreate), and the program may never use that GPU.
//
// A queue that cannot be had for another reason is the program's to meet.
void try_masks(const ration_front& front, amd::kfd::Ioctl ioctl,
               const std::vector<amd::DeviceLimit>& limits);

}  // namespace ration::engine
