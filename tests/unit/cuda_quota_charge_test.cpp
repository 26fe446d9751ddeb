#include <gtest/gtest.h>

#include "shim/cuda/quota/charge.h"

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kKiB = 1ULL << 10;
constexpr std::uint64_t kMiB = 1ULL << 20;

// What cuMemGetInfo fell by on an H100 (driver 580.159.04).
TEST(Charge, OfLinearMemoryIsWhatTheDriverTakes) {
    EXPECT_EQ(linear_charge(0), 0U);
    EXPECT_EQ(linear_charge(1), 512U);
    EXPECT_EQ(linear_charge(512), 512U);
    EXPECT_EQ(linear_charge(513), 1024U);
    EXPECT_EQ(linear_charge(kMiB), kMiB) << "two of these share a block";
    EXPECT_EQ(linear_charge(kMiB + 1), 2 * kMiB);
    EXPECT_EQ(linear_charge(2 * kMiB), 2 * kMiB);
    EXPECT_EQ(linear_charge(2 * kMiB + 1), 4 * kMiB);
    EXPECT_EQ(linear_charge(33 * kMiB), 34 * kMiB);
}

TEST(Charge, OfAbsurdSizesIsMoreThanAnyQuota) {
    EXPECT_EQ(linear_charge(UINT64_MAX), kTooMuch);
    EXPECT_EQ(linear_charge(UINT64_MAX - kMiB), kTooMuch);
    EXPECT_EQ(usual_pitch(UINT64_MAX), kTooMuch);
    EXPECT_EQ(pitched_charge(1ULL << 40U, 1ULL << 40U), kTooMuch);
    EXPECT_EQ(array_charge({UINT64_MAX, 1, 0, CU_AD_FORMAT_FLOAT, 4, 0}), kTooMuch);
    EXPECT_EQ(array_charge({1ULL << 62U, 0, 0, CU_AD_FORMAT_FLOAT, 4, 0}), kTooMuch);
    EXPECT_EQ(array_charge({1ULL << 30U, 1ULL << 30U, 1ULL << 30U, CU_AD_FORMAT_FLOAT, 4, 0}),
              kTooMuch);
    EXPECT_EQ(array_charge({UINT64_MAX, UINT64_MAX, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 1000), kTooMuch);
}

TEST(Charge, OfPitchedMemoryCountsWholeRows) {
    EXPECT_EQ(usual_pitch(1), 512U);
    EXPECT_EQ(usual_pitch(513), 1024U);
    EXPECT_EQ(usual_pitch(4097), 4608U);
    EXPECT_EQ(pitched_charge(usual_pitch(1), 10), 5120U);
    EXPECT_EQ(pitched_charge(0, 10), 0U);
}

// Also what cuMemGetInfo fell by.
TEST(Charge, OfArraysIsWhatTheDriverTakes) {
    const auto mib = [](const CUDA_ARRAY3D_DESCRIPTOR& array, unsigned levels = 1) {
        return array_charge(array, levels) / kMiB;
    };
    EXPECT_EQ(mib({1000, 1000, 0, CU_AD_FORMAT_FLOAT, 4, 0}), 16U);
    EXPECT_EQ(mib({4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, 0}), 64U);
    EXPECT_EQ(mib({100, 100, 100, CU_AD_FORMAT_FLOAT, 1, 0}), 6U);
    EXPECT_EQ(mib({256, 256, 256, CU_AD_FORMAT_HALF, 2, 0}), 64U);
    EXPECT_EQ(mib({1000, 777, 5, CU_AD_FORMAT_FLOAT, 4, CUDA_ARRAY3D_LAYERED}), 70U);
    EXPECT_EQ(mib({1024, 1024, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 11), 6U);
    EXPECT_EQ(array_charge({1, 0, 0, CU_AD_FORMAT_FLOAT, 1, 0}), 512U) << "shares a block";
    EXPECT_EQ(array_charge({128, 128, 6, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_CUBEMAP}), 384 * kKiB);
}

// cuda.h, cuMipmappedArrayCreate: the number is clamped, not refused.
TEST(Charge, OfAMipmapCountsTheLevelsThatThereCanBe) {
    const auto charge = [](std::size_t width, std::size_t height, unsigned levels) {
        return array_charge({width, height, 0, CU_AD_FORMAT_FLOAT, 1, 0}, levels);
    };
    EXPECT_EQ(charge(1024, 1024, 0), charge(1024, 1024, 1));
    EXPECT_EQ(charge(4096, 16, 13), charge(4096, 16, 1000));
    EXPECT_GT(charge(4096, 1, 1000), charge(4096, 1, 1)) << "by the longer side";
    EXPECT_EQ(charge(1, 0, 1000), charge(1, 0, 1));
    EXPECT_EQ(charge(0, 0, 5), charge(0, 0, 1)) << "the driver refuses it";
}

TEST(Charge, OfArraysGoesByTheFormat) {
    const auto kib = [](CUarray_format format, unsigned channels) {
        return array_charge({1024, 128, 0, format, channels, 0}) / kKiB;
    };
    EXPECT_EQ(kib(CU_AD_FORMAT_UNSIGNED_INT8, 1), 128U);
    EXPECT_EQ(kib(CU_AD_FORMAT_HALF, 2), 512U);
    EXPECT_EQ(kib(CU_AD_FORMAT_BC1_UNORM, 4), 64U) << "half a byte a texel";
    EXPECT_EQ(kib(CU_AD_FORMAT_BC7_UNORM, 4), 128U);
    EXPECT_EQ(kib(CU_AD_FORMAT_UNORM_INT16X4, 4), 1024U);
    EXPECT_EQ(kib(CU_AD_FORMAT_NV12, 3), 192U);
}

TEST(Charge, OfAnArrayThatHasNoMemoryOfItsOwnIsNothing) {
    EXPECT_EQ(array_charge({4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_SPARSE}), 0U);
    EXPECT_EQ(array_charge({4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_DEFERRED_MAPPING}),
              0U);
}

}  // namespace
}  // namespace ration::cuda::quota
