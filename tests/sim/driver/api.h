// cuda.h with the types of every version of an entry point, and the simulated driver's own exports.
#pragma once
// The header then declares the old versions beside the new ones, as libcuda.so.1 exports them.
#define __CUDA_API_VERSION_INTERNAL 1
#include <cuda.h>
// It also renames this one to a static inline; the exported symbol is what is meant here.
#undef cuGetProcAddress_v2

#define SIM_EXPORT(symbol, family, since, streams) \
    extern "C" __attribute__((visibility("default"))) decltype(symbol) symbol;
#include "tests/sim/driver/exports.def"
#undef SIM_EXPORT

namespace sim {
// The CUDA version that this driver claims (1000 * major + 10 * minor); one object file per driver.
extern const int kDriverVersion;
}  // namespace sim
