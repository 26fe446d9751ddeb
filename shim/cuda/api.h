// cuda.h with the prototypes of every version of an entry point under its exported name.
#pragma once

// The header's own switch: without it the bare names are macros for the newest version.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>

// Layouts and numbers that we depend on, as of cuda.h 13.0.
static_assert(CUDA_VERSION >= 13000);
static_assert(CU_DEVICE_ATTRIBUTE_MPS_ENABLED == 133);
static_assert(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT == 16);
static_assert(sizeof(CUuuid) == 16);
static_assert(sizeof(CUexecAffinityParam) == 8);
static_assert(CUDA_ERROR_MPS_CONNECTION_FAILED == 805 && CUDA_ERROR_MPS_CLIENT_TERMINATED == 810);
