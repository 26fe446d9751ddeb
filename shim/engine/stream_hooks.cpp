#include "shim/engine/stream_hooks.h"

#include "shim/cuda/stream/functions.h"
#include "shim/cuda/stream/real.h"
#include "shim/engine/session.h"

namespace ration::engine {
namespace {

using cuda::stream::Entry;

constexpr auto kCuda = static_cast<uint32_t>(Library::CUDA);

// One in a process; the layer asks for places without saying whose.
const ration_front* the_front = nullptr;

cuda::stream::Real real_functions(const ration_front& front) {
    cuda::stream::Real found;
#define CUDA_STREAM(symbol, family, kind) \
    found.symbol =                        \
        reinterpret_cast<decltype(found.symbol)>(front.real(static_cast<uint32_t>(Hook::symbol)));
#include "shim/cuda/stream/streams.def"
#define CALL(symbol) \
    found.symbol = reinterpret_cast<decltype(found.symbol)>(front.find(kCuda, #symbol));
#include "shim/cuda/stream/calls.def"
#undef CALL
    return found;
}

CUresult create(CUstream* stream, unsigned int flags) {
    Session::keep_groups();
    return cuda::stream::typed_function<Entry::cuStreamCreate>()(stream, flags);
}

CUresult create_with_priority(CUstream* stream, unsigned int flags, int priority) {
    Session::keep_groups();
    return cuda::stream::typed_function<Entry::cuStreamCreateWithPriority>()(stream, flags,
                                                                             priority);
}

}  // namespace

bool begin_streams(const ration_front& front) {
    the_front = &front;
    return cuda::stream::begin(real_functions(front), {[] { return the_front->depth(kCuda); },
                                                       [] { return the_front->word(); }});
}

void* stream_function(Hook row) {
    if (row == Hook::cuStreamCreate) return reinterpret_cast<void*>(&create);
    if (row == Hook::cuStreamCreateWithPriority) {
        return reinterpret_cast<void*>(&create_with_priority);
    }
    switch (row) {
#define CUDA_STREAM(symbol, family, kind) \
    case Hook::symbol:                    \
        return cuda::stream::function(cuda::stream::Entry::symbol);
#include "shim/cuda/stream/streams.def"
        default:
            break;
    }
    return nullptr;
}

}  // namespace ration::engine
