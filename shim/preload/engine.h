// Loads libration-engine.so and lets it decide.
#pragma once

#include "shim/preload/hooks.h"

namespace ration::front {

struct Attached {
    int code = 0;  // 0, or the CUresult or hipError_t with which the vendor's calls are to fail
    char line[2048] = "";  // why, for people; may be empty
};

// Without any policy in sight the engine is not loaded at all. Any number of threads at once: the
// engine calls install(), and the first of them is obeyed.
Attached attach_engine(Vendor vendor);

}  // namespace ration::front
