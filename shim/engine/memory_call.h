// How a hook of memory reaches the ledger, and the ledger the driver.
#pragma once

#include <exception>

#include "shim/cuda/quota/ledger.h"
#include "shim/cuda/real.h"
#include "shim/engine/errno_keeper.h"
#include "shim/engine/green_course.h"
#include "shim/engine/green_hooks.h"
#include "shim/engine/session.h"
#include "shim/engine/stream_hooks.h"

namespace ration::engine {

// The row's own function below us: that of green contexts or their streams, where the process is
// confined by them.
template <Hook row>
cuda::Entry<row> memory_below() {
    constexpr Group kGroup = group_of(row);
    if constexpr (kGroup == Group::kGreen || kGroup == Group::kStreamMemory) {
        if (GreenCourse::active() != nullptr) {
            return reinterpret_cast<cuda::Entry<row>>(
                kGroup == Group::kGreen ? green_hook_function(row) : stream_function(row));
        }
    }
    return cuda::real<row>();
}

// Hands the ledger the call that is to be made. Nothing is thrown into the program, but a thread
// that is cancelled inside the driver unwinds through here.
template <Hook row, class Logic, class... A>
CUresult counted(Logic logic, A... arguments) {
    const ErrnoKeeper keeper;
    const auto call = [&] { return memory_below<row>()(arguments...); };
    try {
        Session& session = Session::current();
        cuda::quota::Ledger* ledger = session.ledger();
        if (ledger == nullptr) [[unlikely]] {
            if (const CUresult code = session.before_memory()) return code;
            ledger = session.ledger();
        }
        return ledger == nullptr ? call() : logic(*ledger, call);
    } catch (const std::exception&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
}

// Stream 0 of a `_ptsz` name is the thread's own.
inline CUstream meant_by(CUstream stream) {
    return stream == nullptr ? CU_STREAM_PER_THREAD : stream;
}

}  // namespace ration::engine
