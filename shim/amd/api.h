// What this project needs of HIP and HSA, typed: no ROCm header is needed to build it. From
// hip/hip_runtime_api.h, hsa/hsa.h and hsa/hsa_ext_amd.h; tests/unit/amd_api_test.cpp compares
// them with those of the machine, where it has them.
#pragma once

#include <cstddef>
#include <cstdint>

struct ihipStream_t;

namespace ration::amd {

// The C enumerations have the size of an int in both headers.
enum HipError : int {
    kHipSuccess = 0,
    kHipErrorInvalidValue = 1,
    kHipErrorOutOfMemory = 2,
    kHipErrorNoDevice = 100,
    kHipErrorNotSupported = 801,
};

enum HsaStatus : int {
    kHsaSuccess = 0,
    kHsaInfoBreak = 1,
    kHsaError = 0x1000,
    kHsaErrorOutOfResources = 0x1008,
};

using HipStream = ihipStream_t*;

// The null stream and hipStreamPerThread, which the current device has.
inline bool is_of_current_device(HipStream stream) {
    return reinterpret_cast<std::uintptr_t>(stream) <= 2;
}

struct HsaAgent {
    std::uint64_t handle;
};

struct HsaQueue;  // hsa_queue_t

inline constexpr std::uint32_t kHsaQueueTypeMulti = 0;

inline constexpr std::uint32_t kHsaDeviceTypeGpu = 1;

// hsa_agent_info_t and hsa_amd_agent_info_t: one number space.
enum HsaAgentInfo : int {
    kHsaAgentInfoDevice = 17,                              // uint32_t: hsa_device_type_t
    kHsaAmdAgentInfoComputeUnitCount = 0xA002,             // uint32_t
    kHsaAmdAgentInfoDriverNodeId = 0xA004,                 // uint32_t: node of the KFD topology
    kHsaAmdAgentInfoCooperativeComputeUnitCount = 0xA014,  // uint32_t
};

// The entry points' types, by the name of the symbol.
namespace type {

using hipInit = HipError(unsigned int flags);
using hipStreamCreate = HipError(HipStream* stream);
using hipStreamCreateWithFlags = HipError(HipStream* stream, unsigned int flags);
using hipStreamCreateWithPriority = HipError(HipStream* stream, unsigned int flags, int priority);
using hipExtStreamCreateWithCUMask = HipError(HipStream* stream, std::uint32_t words,
                                              const std::uint32_t* mask);
using hipExtStreamGetCUMask = HipError(HipStream stream, std::uint32_t words, std::uint32_t* mask);
using hipMemGetInfo = HipError(std::size_t* available, std::size_t* total);
using hipGetDevice = HipError(int* device);
using hipDeviceGetPCIBusId = HipError(char* address, int capacity, int device);
using hipGetStreamDeviceId = int(HipStream stream);
using hipGetProcAddress = HipError(const char* symbol, void** function, int version,
                                   std::uint64_t flags, int* status);
using hsa_init = HsaStatus();
using hsa_shut_down = HsaStatus();
using hsa_iterate_agents = HsaStatus(HsaStatus (*visit)(HsaAgent agent, void* data), void* data);
using hsa_agent_get_info = HsaStatus(HsaAgent agent, HsaAgentInfo attribute, void* value);
using hsa_queue_create = HsaStatus(HsaAgent agent, std::uint32_t packets, std::uint32_t type,
                                   void (*on_error)(HsaStatus status, HsaQueue* queue, void* data),
                                   void* data, std::uint32_t private_bytes,
                                   std::uint32_t group_bytes, HsaQueue** queue);

// The C library's is variadic. On the processors that ration is made for a call of it passes its
// arguments like this one: the third in the third argument register.
using ioctl = int(int descriptor, unsigned long request, void* argument);

}  // namespace type
}  // namespace ration::amd
