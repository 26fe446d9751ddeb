// The key cu_mask: CUs written down per shader engine.
#pragma once

#include "shim/amd/refusal.h"
#include "shim/amd/share.h"
#include "shim/policy/policy.h"

namespace ration::amd {

// Exactly the CUs that the policy names. Refused, with the nearest mask that the GPU can have and
// the share that it is: an engine that the GPU lacks, more CUs than the engine has, half a pair, an
// XCC without a CU.
Or<Part> part_of(const policy::EngineMasks& masks, const Gpu& gpu);

// The other way: what a mask enables of each engine, by XCC and engine.
std::vector<std::vector<std::uint64_t>> by_engine(const Mask& mask, const Gpu& gpu);

// `{ 0 = "0x0f", 1 = "0x7f" }`, as in a policy.
std::string text_of(const policy::EngineMasks& masks);

}  // namespace ration::amd
