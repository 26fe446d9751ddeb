// What every hook's logic runs in.
#pragma once

#include <exception>

#include "shim/cuda/api.h"
#include "shim/engine/errno_keeper.h"
#include "shim/engine/session.h"

namespace ration::engine {

// Nothing is thrown into the program, which may not be C++ at all. Not `catch (...)`, which would
// hold up a thread that is cancelled inside the driver and unwinds through here: libc ends the
// program then.
template <class Logic>
CUresult guarded(Logic logic) {
    const ErrnoKeeper keeper;
    try {
        return logic(Session::current());
    } catch (const std::exception&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
}

}  // namespace ration::engine
