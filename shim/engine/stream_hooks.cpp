#include "shim/engine/stream_hooks.h"

#include "shim/cuda/stream/functions.h"
#include "shim/cuda/stream/real.h"

namespace ration::engine {
namespace {

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

}  // namespace

bool begin_streams(const ration_front& front) {
    the_front = &front;
    return cuda::stream::begin(real_functions(front), {[] { return the_front->depth(kCuda); },
                                                       [] { return the_front->word(); }});
}

void* stream_function(Hook row) {
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
