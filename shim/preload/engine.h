// Loads libration-engine.so and lets it decide.
#pragma once

namespace ration::front {

struct Attached {
    int code = 0;  // 0, or the CUresult with which every hooked call is to fail
};

// Without any policy in sight the engine is not loaded at all. Called by the deciding thread alone.
Attached attach_engine();

}  // namespace ration::front
