#include "shim/cuda/quota/charge.h"

#include <algorithm>
#include <bit>

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kLargestShared = 1ULL << 20;
constexpr std::uint64_t kBlock = 2ULL << 20;

std::uint64_t times(std::uint64_t one, std::uint64_t other) {
    std::uint64_t product = 0;
    return __builtin_mul_overflow(one, other, &product) ? kTooMuch : product;
}

std::uint64_t plus(std::uint64_t one, std::uint64_t other) {
    std::uint64_t sum = 0;
    return __builtin_add_overflow(one, other, &sum) ? kTooMuch : sum;
}

// `unit` is a power of two.
std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
    const std::uint64_t sum = plus(bytes, unit - 1);
    return sum == kTooMuch ? kTooMuch : sum & ~(unit - 1);
}

// Of one texel with all its channels and, averaged, its part of what texels share (cuda.h; CUDA
// Driver API, "CUarray_format").
unsigned texel_bits(CUarray_format format, unsigned channels) {
    switch (format) {
        case CU_AD_FORMAT_UNSIGNED_INT8:
        case CU_AD_FORMAT_SIGNED_INT8:
            return 8 * channels;
        case CU_AD_FORMAT_UNSIGNED_INT16:
        case CU_AD_FORMAT_SIGNED_INT16:
        case CU_AD_FORMAT_HALF:
            return 16 * channels;
        case CU_AD_FORMAT_BC1_UNORM:
        case CU_AD_FORMAT_BC1_UNORM_SRGB:
        case CU_AD_FORMAT_BC4_UNORM:
        case CU_AD_FORMAT_BC4_SNORM:
            return 4;
        case CU_AD_FORMAT_BC2_UNORM:
        case CU_AD_FORMAT_BC2_UNORM_SRGB:
        case CU_AD_FORMAT_BC3_UNORM:
        case CU_AD_FORMAT_BC3_UNORM_SRGB:
        case CU_AD_FORMAT_BC5_UNORM:
        case CU_AD_FORMAT_BC5_SNORM:
        case CU_AD_FORMAT_BC6H_UF16:
        case CU_AD_FORMAT_BC6H_SF16:
        case CU_AD_FORMAT_BC7_UNORM:
        case CU_AD_FORMAT_BC7_UNORM_SRGB:
        case CU_AD_FORMAT_UNORM_INT8X1:
        case CU_AD_FORMAT_SNORM_INT8X1:
            return 8;
        case CU_AD_FORMAT_NV12:
            return 12;
        case CU_AD_FORMAT_UNORM_INT8X2:
        case CU_AD_FORMAT_SNORM_INT8X2:
        case CU_AD_FORMAT_UNORM_INT16X1:
        case CU_AD_FORMAT_SNORM_INT16X1:
        case CU_AD_FORMAT_NV16:
        case CU_AD_FORMAT_YUY2:
            return 16;
        case CU_AD_FORMAT_P010:
        case CU_AD_FORMAT_P016:
        case CU_AD_FORMAT_Y444_PLANAR8:
        case CU_AD_FORMAT_YUV444_8bit_SemiPlanar:
            return 24;
        case CU_AD_FORMAT_UNORM_INT8X4:
        case CU_AD_FORMAT_SNORM_INT8X4:
        case CU_AD_FORMAT_UNORM_INT16X2:
        case CU_AD_FORMAT_SNORM_INT16X2:
        case CU_AD_FORMAT_P210:
        case CU_AD_FORMAT_P216:
        case CU_AD_FORMAT_Y210:
        case CU_AD_FORMAT_Y216:
        case CU_AD_FORMAT_AYUV:
        case CU_AD_FORMAT_Y410:
        case CU_AD_FORMAT_UNORM_INT_101010_2:
            return 32;
        case CU_AD_FORMAT_Y444_PLANAR10:
        case CU_AD_FORMAT_YUV444_16bit_SemiPlanar:
            return 48;
        case CU_AD_FORMAT_UNORM_INT16X4:
        case CU_AD_FORMAT_SNORM_INT16X4:
        case CU_AD_FORMAT_Y416:
            return 64;
        default:  // 32-bit formats, and those of a newer header
            return 32 * channels;
    }
}

std::uint64_t rows_of(std::uint64_t height) {
    constexpr std::uint64_t kLeast = 8;
    constexpr std::uint64_t kMost = 128;
    if (height <= 1) return 1;
    return round_up(height, std::clamp(std::bit_ceil(std::min(height, kMost)), kLeast, kMost));
}

// A mipmap's level is half as large as the one above it, but for layers.
std::uint64_t level_bytes(const CUDA_ARRAY3D_DESCRIPTOR& array, unsigned level) {
    constexpr unsigned kBits = 8;
    constexpr std::uint64_t kRow = 64;
    const auto at_level = [level](std::uint64_t size) {
        return std::max<std::uint64_t>(level < 64 ? size >> level : 0, 1);
    };
    const bool layered = (array.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
    const std::uint64_t depth =
        layered ? std::max<std::uint64_t>(array.Depth, 1) : at_level(array.Depth);
    const std::uint64_t bits =
        times(at_level(array.Width), texel_bits(array.Format, array.NumChannels));
    const std::uint64_t row = round_up(round_up(bits, kBits) / kBits, kRow);
    if (bits == kTooMuch) return kTooMuch;
    return times(times(row, rows_of(at_level(array.Height))), depth);
}

// What cuda.h clamps a mipmap's levels to, of whatever size: the last one is one texel.
unsigned most_levels(const CUDA_ARRAY3D_DESCRIPTOR& array) {
    const std::uint64_t longest = std::max({array.Width, array.Height, array.Depth});
    return std::max(static_cast<unsigned>(std::bit_width(longest)), 1U);
}

}  // namespace

std::uint64_t linear_charge(std::uint64_t bytes) {
    return round_up(bytes, bytes <= kLargestShared ? kUnit : kBlock);
}

std::uint64_t usual_pitch(std::uint64_t width) { return round_up(width, kUnit); }

std::uint64_t pitched_charge(std::uint64_t pitch, std::uint64_t height) {
    return linear_charge(times(pitch, height));
}

std::uint64_t array_charge(const CUDA_ARRAY3D_DESCRIPTOR& array, unsigned levels) {
    if ((array.Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING)) != 0) return 0;
    std::uint64_t bytes = 0;
    for (unsigned level = 0; level < std::clamp(levels, 1U, most_levels(array)); ++level) {
        bytes = plus(bytes, level_bytes(array, level));
    }
    return linear_charge(bytes);
}

}  // namespace ration::cuda::quota
