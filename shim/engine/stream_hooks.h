// The stream layer (shim/cuda/stream) as hooks.
#pragma once

#include "shim/engine/boundary.h"
#include "shim/preload/hooks.h"

namespace ration::engine {

// Gives the layer the driver's functions; before any of its functions is called, once in a process.
// False: it cannot be used.
bool begin_streams(const ration_front& front);

// The layer's function for a row; null for rows of other groups.
void* stream_function(Hook row);

}  // namespace ration::engine
