// The simulated NVML's exports.
#pragma once
#include "tests/sim/nvml/nvml_types.h"

#define SIM_NVML(symbol, parameters) \
    extern "C" __attribute__((visibility("default"))) nvmlReturn_t symbol parameters;
#include "tests/sim/nvml/exports.def"
#undef SIM_NVML
extern "C" __attribute__((visibility("default"))) const char* nvmlErrorString(nvmlReturn_t result);
