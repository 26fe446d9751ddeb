// One function for each row of streams.def.
#include "shim/cuda/stream/functions.h"

#include "shim/cuda/stream/call.h"

namespace ration::cuda::stream {

void* function(Entry entry) {
    switch (entry) {
#define CUDA_STREAM(symbol, family, kind) \
    case Entry::symbol:                   \
        return reinterpret_cast<void*>(&Call<Entry::symbol>::call);
#include "shim/cuda/stream/streams.def"
        case Entry::kEnd:
            break;
    }
    return nullptr;
}

}  // namespace ration::cuda::stream
