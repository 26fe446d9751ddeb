// CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: how much memory of each device a client may take.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shim/policy/policy.h"

namespace ration::cuda {

inline constexpr const char* kMemoryVariable = "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT";

// MiB by device UUID.
using MemoryLimits = std::map<std::string, std::uint64_t>;

// What a value sets for a process that sees the devices `uuids` in this order. Measured (H100,
// driver 580.159.04): entries KEY=AMOUNT, the key an ordinal among the visible devices or the
// beginning of a UUID, the amount a number with M or G, in either case, and anything behind; blanks
// do not matter, nor does an empty entry. An entry for a device that is not there, or with K or
// without a unit, makes the driver ignore the whole variable; here it is passed over and the others
// count, because somebody wanted them, and a policy must not widen what they say. A fraction makes
// the driver fail every context; read here as the whole MiB below.
MemoryLimits read_limits(const std::optional<std::string>& value,
                         const std::vector<std::string>& uuids);

// Whether an entry goes by ordinal.
bool has_ordinals(const std::optional<std::string>& value);

// The smaller of both for each device.
MemoryLimits narrower(const MemoryLimits& one, const MemoryLimits& other);

// "GPU-...=2048M,GPU-...=1024M": UUIDs, because ordinals change their meaning when devices are
// narrowed; whole MiB, because the driver ignores bytes and KiB.
std::string limits_text(const MemoryLimits& limits);

// What `memory` is of a device with `total` bytes, in whole MiB. nullopt: a percentage of an
// unknown total.
std::optional<std::uint64_t> mebibytes(const policy::Memory& memory, std::uint64_t total);

// Likewise of a device with `total` bytes, in bytes and never more than these. 0: below 1 MiB.
std::uint64_t quota_bytes(const policy::Memory& memory, std::uint64_t total);

// What to say where that is 0.
std::string below_a_mebibyte(const std::string& uuid);

}  // namespace ration::cuda
