// CUDA's stream semantics over a home green context: what the rest of the process needs to know.
//
// A home H is made current wherever the program makes its primary context current. In a green
// context every stream is a non-blocking one and there is no per-thread default stream (measured:
// H100, driver 580.159.04); the functions that this layer puts before the driver's give back what
// is lost. They look at the context that is really current: in one that is no home they do nothing.
#pragma once

#include "shim/cuda/api.h"

namespace ration::cuda::stream {

// One home, and the streams that live in it.
struct Domain;

// From now on `home` stands for `primary`. Before it is first current anywhere; once for each home
// that lives. Null where there is no memory for it. Any thread, with any locks but the layer's own.
Domain* open(CUdevice device, CUcontext home, CUcontext primary);

// Before the home is destroyed: its streams are forgotten, and what was made in it for the layer's
// own use goes with it. `domain` may be null.
void close(Domain* domain);

}  // namespace ration::cuda::stream
