// The rows of streams.def whose answers are their own: one overload for each kind and signature.
#pragma once

#include "shim/cuda/stream/entry.h"
#include "shim/cuda/stream/order.h"

namespace ration::cuda::stream {

// Which kind of row is answered. `own`: stream 0 is the thread's own default stream.
template <Kind kind>
struct On {
    bool own;
};

template <class... A>
using Driver = CUresult (*)(A...);

// A stream with flags 0 is a blocking one, whatever the driver makes of it in a home.
CUresult made(CUresult result, const CUstream* stream, unsigned flags);

inline CUresult answer(On<Kind::create>, Driver<CUstream*, unsigned> driver, CUstream* stream,
                       unsigned flags) {
    return made(driver(stream, flags), stream, flags);
}
inline CUresult answer(On<Kind::create>, Driver<CUstream*, unsigned, int> driver, CUstream* stream,
                       unsigned flags, int priority) {
    return made(driver(stream, flags, priority), stream, flags);
}

CUresult answer(On<Kind::destroy>, Driver<CUstream> driver, CUstream stream);

CUresult answer(On<Kind::flags> on, Driver<CUstream, unsigned*> driver, CUstream stream,
                unsigned* flags);

// A stream of a home is the primary context's, and no green context's.
CUresult answer(On<Kind::context> on, Driver<CUstream, CUcontext*> driver, CUstream stream,
                CUcontext* context);
CUresult answer(On<Kind::context> on, Driver<CUstream, CUcontext*, CUgreenCtx*> driver,
                CUstream stream, CUcontext* context, CUgreenCtx* green);
CUresult answer(On<Kind::context> on, Driver<CUstream, CUgreenCtx*> driver, CUstream stream,
                CUgreenCtx* green);

// The callback is told the handle that the program gave.
CUresult answer(On<Kind::callback> on, Driver<CUstream, CUstreamCallback, void*, unsigned> driver,
                CUstream stream, CUstreamCallback callback, void* data, unsigned flags);

// A capture begins after what the stream was given before, and never in the legacy default stream.
class Beginning {
  public:
    Beginning(CUstream stream, bool own);
    ~Beginning();
    Beginning(const Beginning&) = delete;
    Beginning& operator=(const Beginning&) = delete;

    CUresult refusal() const { return refusal_; }
    CUstream stream() const { return named_.stream; }
    CUresult begun(CUresult result);

  private:
    const Named named_;
    CUresult refusal_;
    OrderLock::Held held_ = 0;
};

template <class... A>
CUresult answer(On<Kind::capture_begin> on, Driver<CUstream, A...> driver, CUstream stream,
                std::type_identity_t<A>... arguments) {
    Beginning beginning(stream, on.own);
    if (const CUresult refusal = beginning.refusal()) return refusal;
    return beginning.begun(driver(beginning.stream(), arguments...));
}

CUresult answer(On<Kind::capture_end> on, Driver<CUstream, CUgraph*> driver, CUstream stream,
                CUgraph* graph);

// CUDA_SUCCESS, or what a question about the legacy default stream's capture is answered with.
CUresult about_capture(const Named& named);

template <class... A>
CUresult answer(On<Kind::capture_state> on, Driver<CUstream, A...> driver, CUstream stream,
                std::type_identity_t<A>... arguments) {
    const Named named = resolve(stream, on.own);
    if (const CUresult refusal = about_capture(named)) return refusal;
    return driver(named.stream, arguments...);
}

template <class Result>
CUresult answer(On<Kind::ask_launch> on, Driver<Result*, CUfunction, const CUlaunchConfig*> driver,
                std::type_identity_t<Result>* result, CUfunction function,
                const CUlaunchConfig* config) {
    if (config == nullptr || !names_own(config->hStream, on.own)) {
        return driver(result, function, config);
    }
    const Named named = resolve(config->hStream, on.own);
    if (named.code != CUDA_SUCCESS) return named.code;
    CUlaunchConfig copy = *config;
    copy.hStream = named.stream;
    return driver(result, function, &copy);
}

// One launch in several devices, each in a stream that the program has made.
CUresult answer(On<Kind::launch_many>, Driver<CUDA_LAUNCH_PARAMS*, unsigned, unsigned> driver,
                CUDA_LAUNCH_PARAMS* launches, unsigned count, unsigned flags);

// A graph is uploaded in a stream, if the flags say so.
CUresult answer(On<Kind::upload> on,
                Driver<CUgraphExec*, CUgraph, CUDA_GRAPH_INSTANTIATE_PARAMS*> driver,
                CUgraphExec* exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* parameters);

}  // namespace ration::cuda::stream
