// The beginnings and ends of captures.
#include "shim/cuda/stream/answers.h"
#include "shim/cuda/stream/capture.h"

namespace ration::cuda::stream {

Beginning::Beginning(CUstream stream, bool own)
    : named_(resolve(stream, own)), refusal_(named_.code) {
    if (named_.what == Named::What::kNull) refusal_ = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (refusal_ != CUDA_SUCCESS) return;
    if (named_.what == Named::What::kBlocking) held_ = named_.domain->order.take();
    // What the stream has to do is not to be asked while it is captured, nor when it was destroyed.
    if (named_.what == Named::What::kBlocking && named_.record->dirty.load() &&
        !is_capturing(named_.stream)) {
        note_work(*named_.record, named_.stream);
    }
    captures.fetch_add(1);
}

CUresult Beginning::begun(CUresult result) {
    if (result != CUDA_SUCCESS) captures.fetch_sub(1);
    return result;
}

Beginning::~Beginning() {
    if (held_ != 0) named_.domain->order.release(held_);
}

CUresult answer(On<Kind::capture_end> on, Driver<CUstream, CUgraph*> driver, CUstream stream,
                CUgraph* graph) {
    const Named named = resolve(stream, on.own);
    if (named.code != CUDA_SUCCESS) return named.code;
    const bool before = is_capturing(named.stream);
    const CUresult result = driver(named.stream, graph);
    end_noticed(named.stream, before);
    return result;
}

CUresult about_capture(const Named& named) {
    if (named.what == Named::What::kNull) return ask_legacy(*named.domain);
    return named.code;
}

}  // namespace ration::cuda::stream
