// What can be asked of a stream.
#include "tests/sim/driver/on_stream.h"

using sim::ask_stream;
using sim::or_own;

namespace {

CUresult get_flags(const char* symbol, CUstream stream, unsigned* flags) {
    return ask_stream(symbol, stream, flags, [](CUstream s) { return s->flags; });
}

CUresult get_priority(const char* symbol, CUstream stream, int* priority) {
    return ask_stream(symbol, stream, priority, [](CUstream s) { return s->priority; });
}

CUresult get_context(const char* symbol, CUstream stream, CUcontext* context) {
    return ask_stream(symbol, stream, context, [](CUstream s) { return s->context; });
}

CUresult get_id(const char* symbol, CUstream stream, unsigned long long* id) {
    return ask_stream(symbol, stream, id, [](CUstream s) { return s->id; });
}

CUresult get_device(const char* symbol, CUstream stream, CUdevice* device) {
    return ask_stream(symbol, stream, device, [](CUstream s) { return s->context->device; });
}

}  // namespace

CUresult cuStreamGetFlags(CUstream stream, unsigned* flags) {
    return get_flags("cuStreamGetFlags", stream, flags);
}
CUresult cuStreamGetFlags_ptsz(CUstream stream, unsigned* flags) {
    return get_flags("cuStreamGetFlags_ptsz", or_own(stream), flags);
}
CUresult cuStreamGetPriority(CUstream stream, int* priority) {
    return get_priority("cuStreamGetPriority", stream, priority);
}
CUresult cuStreamGetPriority_ptsz(CUstream stream, int* priority) {
    return get_priority("cuStreamGetPriority_ptsz", or_own(stream), priority);
}
CUresult cuStreamGetCtx(CUstream stream, CUcontext* context) {
    return get_context("cuStreamGetCtx", stream, context);
}
CUresult cuStreamGetCtx_ptsz(CUstream stream, CUcontext* context) {
    return get_context("cuStreamGetCtx_ptsz", or_own(stream), context);
}
CUresult cuStreamGetId(CUstream stream, unsigned long long* id) {
    return get_id("cuStreamGetId", stream, id);
}
CUresult cuStreamGetId_ptsz(CUstream stream, unsigned long long* id) {
    return get_id("cuStreamGetId_ptsz", or_own(stream), id);
}
CUresult cuStreamGetDevice(CUstream stream, CUdevice* device) {
    return get_device("cuStreamGetDevice", stream, device);
}
CUresult cuStreamGetDevice_ptsz(CUstream stream, CUdevice* device) {
    return get_device("cuStreamGetDevice_ptsz", or_own(stream), device);
}
