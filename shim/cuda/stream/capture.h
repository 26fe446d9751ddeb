// Captures of streams into graphs, and what they forbid to the legacy default stream.
#pragma once

#include <atomic>

#include "shim/cuda/stream/domain.h"

namespace ration::cuda::stream {

// Captures that the program has begun and that were not seen to end. May be too many, never too
// few.
inline std::atomic<int> captures{0};

// Whether the stream is in a capture, by its own beginning or by an event. Costs a call of the
// driver only while there are captures.
bool is_capturing(CUstream stream);

// What CUDA answers to a use of the legacy default stream while a blocking stream of the context is
// captured: CUDA_ERROR_STREAM_CAPTURE_IMPLICIT. A use also spoils these captures; a question about
// captures does not. (Measured: H100, driver 580.159.04; in a green context both succeed.)
CUresult use_legacy(Domain& domain);
CUresult ask_legacy(Domain& domain);

// What CUDA answers to the legacy default stream's waiting for an event that was recorded in a
// capture, which it spoils. CUDA_SUCCESS for any other event.
CUresult wait_in_legacy(CUevent event);

// cuStreamEndCapture has been called: `before` is what is_capturing() said of the stream.
void end_noticed(CUstream stream, bool before);

}  // namespace ration::cuda::stream
