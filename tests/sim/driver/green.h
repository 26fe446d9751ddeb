// Green contexts: a primary context's memory, modules and events, on some of the SMs.
#pragma once
#include "tests/sim/driver/driver.h"

// The handle's type is cuda.h's, so it lives outside the namespace. Kept when it is destroyed, so
// that an old handle never names a new one.
struct CUgreenCtx_st {
    CUcontext context;  // the CUcontext that cuCtxFromGreenCtx answers
    bool destroyed = false;
};

namespace sim {

// Whether the handle names a green context that lives.
CUresult check_green(const Driver& driver, CUgreenCtx green);

}  // namespace sim
