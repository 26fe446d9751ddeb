#include "shim/cuda/stream/answers.h"

#include <new>

#include "shim/cuda/stream/capture.h"
#include "shim/cuda/stream/dormancy.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::stream {
namespace {

bool is_home(CUgreenCtx green) {
    CUcontext context = nullptr;
    return green != nullptr && real.cuCtxFromGreenCtx(&context, green) == CUDA_SUCCESS &&
           domain_of(context) != nullptr;
}

void as_primary(CUcontext& context) {
    if (const Domain* const domain = domain_of(context)) context = domain->primary;
}

// What a callback in the per-thread default stream is told, kept until it runs.
struct Told {
    CUstream stream;  // as the program named it: 0 stays 0 (measured: H100, driver 580.159.04)
    CUstreamCallback callback;
    void* data;
};

void tell(CUstream, CUresult status, void* data) {
    const Told told = *static_cast<Told*>(data);
    delete static_cast<Told*>(data);
    told.callback(told.stream, status, told.data);
}

}  // namespace

CUresult made(CUresult result, const CUstream* stream, unsigned flags) {
    if (result != CUDA_SUCCESS) return result;
    Domain* const domain = current_domain();
    const bool blocking = domain != nullptr && (flags & CU_STREAM_NON_BLOCKING) == 0;
    if (blocking) wake();
    const host::UndisturbedLock lock(registry());
    // Of a stream that was destroyed behind our back, and whose handle comes again.
    if (Record* const former = find_record(*stream)) hide_record(*former);
    if (!blocking || add_record(*stream, *domain) != nullptr) return result;
    real.cuStreamDestroy_v2(*stream);
    return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult answer(On<Kind::destroy>, Driver<CUstream> driver, CUstream stream) {
    const bool special =
        stream == nullptr || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
    Record* const record = special ? nullptr : find_record(stream);
    if (record == nullptr) return driver(stream);
    const Named named{Named::What::kBlocking, stream, record->domain, record};
    Leaving leaving(named);
    const CUresult result = driver(stream);
    leaving.destroyed(result);
    return result;
}

CUresult answer(On<Kind::flags> on, Driver<CUstream, unsigned*> driver, CUstream stream,
                unsigned* flags) {
    const Named named = resolve(stream, on.own);
    if (named.code != CUDA_SUCCESS) return named.code;
    const CUresult result = driver(named.stream, flags);
    if (result == CUDA_SUCCESS && named.what != Named::What::kOther) *flags = CU_STREAM_DEFAULT;
    return result;
}

CUresult answer(On<Kind::context> on, Driver<CUstream, CUcontext*> driver, CUstream stream,
                CUcontext* context) {
    const Named named = resolve(stream, on.own);
    if (named.code != CUDA_SUCCESS) return named.code;
    const CUresult result = driver(named.stream, context);
    if (result == CUDA_SUCCESS) as_primary(*context);
    return result;
}

CUresult answer(On<Kind::context> on, Driver<CUstream, CUcontext*, CUgreenCtx*> driver,
                CUstream stream, CUcontext* context, CUgreenCtx* green) {
    const Named named = resolve(stream, on.own);
    if (named.code != CUDA_SUCCESS) return named.code;
    const CUresult result = driver(named.stream, context, green);
    if (result == CUDA_SUCCESS && context != nullptr) as_primary(*context);
    if (result == CUDA_SUCCESS && green != nullptr && is_home(*green)) *green = nullptr;
    return result;
}

CUresult answer(On<Kind::context> on, Driver<CUstream, CUgreenCtx*> driver, CUstream stream,
                CUgreenCtx* green) {
    const Named named = resolve(stream, on.own);
    if (named.code != CUDA_SUCCESS) return named.code;
    const CUresult result = driver(named.stream, green);
    if (result == CUDA_SUCCESS && is_home(*green)) *green = nullptr;
    return result;
}

CUresult answer(On<Kind::callback> on, Driver<CUstream, CUstreamCallback, void*, unsigned> driver,
                CUstream stream, CUstreamCallback callback, void* data, unsigned flags) {
    const Named named = resolve(stream, on.own);
    Told* told = nullptr;
    if (callback != nullptr && named.what == Named::What::kBlocking && names_own(stream, on.own)) {
        told = new (std::nothrow) Told{stream, callback, data};
        if (told == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    }
    Ordered ordered(named);
    CUresult result = ordered.refusal();
    if (result == CUDA_SUCCESS) {
        result = told != nullptr ? driver(named.stream, &tell, told, flags)
                                 : driver(named.stream, callback, data, flags);
        ordered.result(result);
    }
    if (result != CUDA_SUCCESS) delete told;
    return result;
}

CUresult answer(On<Kind::launch_many>, Driver<CUDA_LAUNCH_PARAMS*, unsigned, unsigned> driver,
                CUDA_LAUNCH_PARAMS* launches, unsigned count, unsigned flags) {
    if (dormant() || launches == nullptr || count == 0) return driver(launches, count, flags);
    // The last one's order is kept while the driver is called, all others' before.
    const Named last = resolve(launches[count - 1].hStream, false);
    for (unsigned i = 0; i + 1 < count; ++i) {
        const Named named = resolve(launches[i].hStream, false);
        const Ordered each(named);
        if (const CUresult refusal = each.refusal()) return refusal;
    }
    Ordered ordered(last);
    if (const CUresult refusal = ordered.refusal()) return refusal;
    const CUresult result = driver(launches, count, flags);
    ordered.result(result);
    return result;
}

CUresult answer(On<Kind::upload> on,
                Driver<CUgraphExec*, CUgraph, CUDA_GRAPH_INSTANTIATE_PARAMS*> driver,
                CUgraphExec* exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* parameters) {
    if (parameters == nullptr || (parameters->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) == 0) {
        return driver(exec, graph, parameters);
    }
    const CUstream given = parameters->hUploadStream;
    const Named named = resolve(given, on.own);
    Ordered ordered(named);
    if (const CUresult refusal = ordered.refusal()) return refusal;
    CUDA_GRAPH_INSTANTIATE_PARAMS copy = *parameters;
    copy.hUploadStream = named.stream;
    const CUresult result = driver(exec, graph, &copy);
    ordered.result(result);
    copy.hUploadStream = given;
    *parameters = copy;
    return result;
}

}  // namespace ration::cuda::stream
