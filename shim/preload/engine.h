// Loads libration-engine.so and lets it decide.
#pragma once

#include "shim/preload/hooks.h"

namespace ration::front {

struct Attached {
    int code = 0;  // 0, or the CUresult or hipError_t with which the vendor's calls are to fail
};

// Without any policy in sight the engine is not loaded at all. Called by the deciding thread alone.
Attached attach_engine(Vendor vendor);

}  // namespace ration::front
