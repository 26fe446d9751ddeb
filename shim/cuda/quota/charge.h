// What the driver takes of a device for what a program asks for.
#pragma once

#include <cstdint>

#include "shim/cuda/api.h"

namespace ration::cuda::quota {

// More than any device has: what an absurd size comes to. No quota ever has it.
inline constexpr std::uint64_t kTooMuch = UINT64_MAX;

// Each charge but kTooMuch is a multiple of this.
inline constexpr std::uint64_t kUnit = 512;

// Bytes, as measured (H100, driver 580.159.04). Linear memory up to 1 MiB comes in units of 512
// bytes out of blocks of 2 MiB, which several allocations share; larger memory has whole blocks of
// its own. What is still empty in a shared block is charged to nobody, so that a small allocation
// is refused only when the quota is used up.
std::uint64_t linear_charge(std::uint64_t bytes);

// Of `height` rows, `pitch` bytes from one to the next.
std::uint64_t pitched_charge(std::uint64_t pitch, std::uint64_t height);

// The pitch that the driver chooses for rows of `width` bytes: whole 512.
std::uint64_t usual_pitch(std::uint64_t width);

// Of an array with `levels` of a mipmap: rows padded to 64 bytes, their number to the height of a
// block of the tiled layout, 8 to 128 rows. There is one level at least, and none beyond that of a
// single texel (cuda.h, cuMipmappedArrayCreate). 0 if its memory comes from cuMemCreate (sparse, or
// mapped later).
std::uint64_t array_charge(const CUDA_ARRAY3D_DESCRIPTOR& array, unsigned levels = 1);

}  // namespace ration::cuda::quota
