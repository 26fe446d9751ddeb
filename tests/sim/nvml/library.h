// The state of the simulated NVML: the whole node, whatever CUDA_VISIBLE_DEVICES says.
#pragma once
#include <cstddef>
#include <deque>

#include "tests/sim/node/node.h"
#include "tests/sim/nvml/nvml_types.h"

// The handle's type is NVML's, so it lives outside the namespace.
struct nvmlDevice_st {
    const sim::Gpu* gpu;
    const sim::MigInstance* instance;  // null for a whole GPU
    nvmlDevice_st* parent;             // null for a whole GPU
    unsigned int index;
};

namespace sim::nvml {

// Counted: each initialise() needs its shutdown(). The environment is read by the first one.
nvmlReturn_t initialise();
nvmlReturn_t shutdown();

// Null unless initialised.
std::deque<nvmlDevice_st>* gpus();
std::deque<nvmlDevice_st>* instances();

// NVML_SUCCESS, or why the handle can't be used.
nvmlReturn_t check(nvmlDevice_t device, const void* out);
// Copies text with its end, or NVML_ERROR_INSUFFICIENT_SIZE.
nvmlReturn_t copy_text(const char* text, char* out, unsigned int size);

}  // namespace sim::nvml
