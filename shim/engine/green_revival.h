// Threads that have an ended home current. A primary context that has ended comes back to life for
// every thread that has it current as soon as anybody retains it (measured: H100, driver
// 580.159.04); a green context never does, and calls answer CUDA_ERROR_CONTEXT_IS_DESTROYED.
#pragma once

#include "shim/preload/hooks.h"

namespace ration::engine {

// If what is current in this thread is an ended home, and its primary context lives again: the home
// that stands for it now takes its place. True if there was nothing to do.
bool revive_current();

// Where calls of `row` go once a home has ended: what is current comes back to life before `usual`
// is called (null: the driver's own function). Null for rows to which that means nothing. So calls
// cost nothing more in a process of which no home has ended, little in others, and none is made
// twice.
void* reviving_function(Hook row, void* usual);

}  // namespace ration::engine
