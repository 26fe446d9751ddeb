// Kernels of loaded modules.
#pragma once
#include <string>

#include "tests/sim/driver/api.h"

struct CUfunc_st {
    std::string name;
};

namespace sim {

// Whether the handle is a function of a module that is still loaded. Under the driver's lock.
bool is_function(CUfunction function);

}  // namespace sim
