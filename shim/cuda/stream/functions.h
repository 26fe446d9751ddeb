// The layer's functions, for the hooks of the process.
#pragma once

#include "shim/cuda/stream/entry.h"
#include "shim/cuda/stream/thread.h"

namespace ration::cuda::stream {

// Before any of the functions is called, and before open(). Once in a process: again it does
// nothing, but in a forked child it begins anew, since a child may have a GPU that its parent has
// not asked for yet. Any thread. False, and the layer cannot be used, if the process has no
// thread-specific key left.
bool begin(const Real& driver, const Places& places);

// What is to be called in place of the driver's entry point, of the type that cuda.h gives it. It
// expects to be the outermost: called at a depth above zero, it calls the driver's and no more.
void* function(Entry entry);

template <Entry entry>
auto typed_function() {
    return reinterpret_cast<typename Row<entry>::Function>(function(entry));
}

}  // namespace ration::cuda::stream
