// cuGetProcAddress: the newest version of a family that is not newer than what the caller asks for.
#include <cstring>

#include "tests/sim/driver/call.h"

using sim::Call;

namespace {

enum class Streams { Legacy, PerThread };

struct Row {
    const char* family;
    int since;
    Streams streams;
    void* entry;
};

// -Bsymbolic-functions makes these the driver's own addresses, whoever else exports the names.
const Row kRows[] = {
#define SIM_EXPORT(symbol, family, since, streams) \
    {#family, since, Streams::streams, reinterpret_cast<void*>(&(symbol))},
#include "tests/sim/driver/exports.def"
#undef SIM_EXPORT
};

struct Answer {
    void* entry = nullptr;
    CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
};

bool has_per_thread(const char* family) {
    for (const Row& row : kRows) {
        if (row.streams == Streams::PerThread && std::strcmp(row.family, family) == 0) return true;
    }
    return false;
}

// A family with per-thread variants answers these alone when they are asked for, even to a version
// that has the legacy one only (measured: cuLaunchKernel at 4000).
Answer look_up(const char* family, int version, cuuint64_t flags) {
    const bool wanted = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
    const auto streams = wanted && has_per_thread(family) ? Streams::PerThread : Streams::Legacy;
    Answer answer;
    int newest = 0;
    for (const Row& row : kRows) {
        if (row.since > sim::kDriverVersion || std::strcmp(row.family, family) != 0) continue;
        if (answer.entry == nullptr) {
            answer.status = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
        }
        if (row.streams == streams && row.since <= version && row.since > newest) {
            newest = row.since;
            answer = {row.entry, CU_GET_PROC_ADDRESS_SUCCESS};
        }
    }
    return answer;
}

bool valid(const char* symbol, void* const* entry, int version, cuuint64_t flags) {
    constexpr cuuint64_t kKnown =
        CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
    return symbol != nullptr && entry != nullptr && version <= sim::kDriverVersion &&
           (flags & ~kKnown) == 0 && flags != kKnown;
}

}  // namespace

CUresult cuGetProcAddress(const char* symbol, void** entry, int version, cuuint64_t flags) {
    Call call("cuGetProcAddress");
    if (call.failed()) return call.done();
    if (!valid(symbol, entry, version, flags)) return call.done(CUDA_ERROR_INVALID_VALUE);
    const Answer answer = look_up(symbol, version, flags);
    // Measured: the first version leaves the pointer alone when it has nothing to put there.
    if (answer.entry != nullptr) *entry = answer.entry;
    return call.done(answer.entry != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND,
                     "symbol=%s version=%d flags=%llu", symbol, version,
                     static_cast<unsigned long long>(flags));
}

CUresult cuGetProcAddress_v2(const char* symbol, void** entry, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
    Call call("cuGetProcAddress_v2");
    if (call.failed()) return call.done();
    if (!valid(symbol, entry, version, flags)) return call.done(CUDA_ERROR_INVALID_VALUE);
    const Answer answer = look_up(symbol, version, flags);
    *entry = answer.entry;
    if (status != nullptr) *status = answer.status;
    return call.done(CUDA_SUCCESS, "symbol=%s version=%d flags=%llu status=%d", symbol, version,
                     static_cast<unsigned long long>(flags), answer.status);
}
