// Kernels of loaded modules.
#pragma once
#include <string>

#include "tests/sim/driver/api.h"

struct CUfunc_st {
    std::string name;
    CUmodule module = nullptr;
    bool large_clusters = false;  // CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
};

namespace sim {

// Whether the handle is a function of a module that is still loaded. Under the driver's lock.
bool is_function(CUfunction function);

}  // namespace sim
