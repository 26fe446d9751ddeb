// A program that asks for an SM count of its own for a context gets no more than its grant.
#pragma once

#include <vector>

#include "shim/cuda/api.h"

namespace ration::cuda {

// The caller's parameters without the requests that reach `granted` SMs or more: for these the
// context has the process's own grant. Measured (H100, driver 580.159.04, grant 32 SMs): the driver
// rounds a request up to an even count, at least 8; asking 31 or 32 gives a context that says it
// has all 132 SMs, asking more is CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY. A request of 0 stays, as
// the driver's error.
std::vector<CUexecAffinityParam> within_grant(const CUexecAffinityParam* parameters, int count,
                                              unsigned granted);

}  // namespace ration::cuda
