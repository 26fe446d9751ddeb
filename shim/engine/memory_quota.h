// The memory quota that this process counts by itself, or with those of its scope.
#pragma once

#include <memory>
#include <optional>

#include "shim/cuda/grant.h"
#include "shim/cuda/plan.h"
#include "shim/cuda/quota/ledger.h"
#include "shim/cuda/refusal.h"
#include "shim/engine/boundary.h"

namespace ration::engine {

// Puts the quota of each device into the grant, by what the driver says the device has. After
// cuInit, without locks.
std::optional<cuda::Refusal> read_quotas(const cuda::CountedMemory& counted, cuda::Grant& grant);

// Never null. Refused: a scope's quota that cannot be shared, and one that is too small for it.
cuda::Or<std::unique_ptr<cuda::quota::Ledger>> make_ledger(const ration_front& front,
                                                           const cuda::CountedMemory& counted,
                                                           const cuda::Grant& grant);

}  // namespace ration::engine
