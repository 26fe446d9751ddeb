// shim/amd/api.h against the headers of the ROCm that is installed here.
#include "shim/amd/api.h"

#define __HIP_PLATFORM_AMD__ 1
#include <gtest/gtest.h>
#include <hip/hip_runtime_api.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <type_traits>

namespace ration::amd {
namespace {

// Passed alike in registers: enumerations and integers of one size, pointers, structures of one
// word.
template <class One, class Other>
constexpr bool alike() {
    return sizeof(One) == sizeof(Other) && std::is_pointer_v<One> == std::is_pointer_v<Other> &&
           std::is_class_v<One> == std::is_class_v<Other>;
}

template <class One, class Other>
struct SameCall : std::false_type {};
template <class R, class... A, class S, class... B>
requires(sizeof...(A) == sizeof...(B)) struct SameCall<R(A...), S(B...)>
    : std::bool_constant<alike<R, S>() && (alike<A, B>() && ...)> {
};

#define SAME_CALL(symbol) \
    static_assert(SameCall<type::symbol, std::remove_pointer_t<decltype(&::symbol)>>::value)
SAME_CALL(hipInit);
SAME_CALL(hipStreamCreate);
SAME_CALL(hipStreamCreateWithFlags);
SAME_CALL(hipStreamCreateWithPriority);
SAME_CALL(hipExtStreamCreateWithCUMask);
SAME_CALL(hipExtStreamGetCUMask);
SAME_CALL(hipMemGetInfo);
SAME_CALL(hipGetDevice);
SAME_CALL(hipDeviceGetPCIBusId);
SAME_CALL(hipGetStreamDeviceId);
SAME_CALL(hsa_init);
SAME_CALL(hsa_shut_down);
SAME_CALL(hsa_iterate_agents);
SAME_CALL(hsa_agent_get_info);
SAME_CALL(hsa_queue_create);

TEST(AmdApi, KnowsTheStreamsOfTheCurrentDevice) {
    EXPECT_TRUE(is_of_current_device(nullptr));
    EXPECT_TRUE(is_of_current_device(hipStreamPerThread));
    EXPECT_FALSE(is_of_current_device(reinterpret_cast<HipStream>(0x1000)));
}

TEST(AmdApi, HasTheHeadersNumbers) {
    EXPECT_EQ(int{kHipErrorInvalidValue}, hipErrorInvalidValue);
    EXPECT_EQ(int{kHipErrorOutOfMemory}, hipErrorOutOfMemory);
    EXPECT_EQ(int{kHipErrorNoDevice}, hipErrorNoDevice);
    EXPECT_EQ(int{kHipErrorNotSupported}, hipErrorNotSupported);
    EXPECT_EQ(int{kHsaInfoBreak}, HSA_STATUS_INFO_BREAK);
    EXPECT_EQ(int{kHsaQueueTypeMulti}, HSA_QUEUE_TYPE_MULTI);
    EXPECT_EQ(int{kHsaError}, HSA_STATUS_ERROR);
    EXPECT_EQ(int{kHsaErrorOutOfResources}, HSA_STATUS_ERROR_OUT_OF_RESOURCES);
    EXPECT_EQ(int{kHsaDeviceTypeGpu}, HSA_DEVICE_TYPE_GPU);
    EXPECT_EQ(int{kHsaAgentInfoDevice}, HSA_AGENT_INFO_DEVICE);
    EXPECT_EQ(int{kHsaAmdAgentInfoComputeUnitCount}, HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT);
    EXPECT_EQ(int{kHsaAmdAgentInfoDriverNodeId}, HSA_AMD_AGENT_INFO_DRIVER_NODE_ID);
    EXPECT_EQ(int{kHsaAmdAgentInfoCooperativeComputeUnitCount},
              HSA_AMD_AGENT_INFO_COOPERATIVE_COMPUTE_UNIT_COUNT);
}

}  // namespace
}  // namespace ration::amd
