// Error names and texts, the driver's version, and the undocumented tables that it doesn't have.
#include <algorithm>
#include <array>

#include "tests/sim/driver/call.h"

using sim::Call;

namespace {

struct Error {
    CUresult value;
    const char* name;
    const char* text;
};

#define SIM_ERROR(value, text) \
    { value, #value, text }
constexpr std::array kErrors{
    Error SIM_ERROR(CUDA_SUCCESS, "no error"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    Error SIM_ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    Error SIM_ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    Error SIM_ERROR(CUDA_ERROR_DEINITIALIZED, "driver shutting down"),
    Error SIM_ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    Error SIM_ERROR(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY, "unsupported exec affinity"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    Error SIM_ERROR(CUDA_ERROR_ILLEGAL_STATE, "illegal state"),
    Error SIM_ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    Error SIM_ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    Error SIM_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    Error SIM_ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    Error SIM_ERROR(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
                    "too many blocks for a cooperative launch"),
    Error SIM_ERROR(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit is not supported"),
    Error SIM_ERROR(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "the devices are no peers"),
    Error SIM_ERROR(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "peer access is enabled already"),
    Error SIM_ERROR(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "peer access is not enabled"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_CLUSTER_SIZE, "invalid cluster size"),
    Error SIM_ERROR(CUDA_ERROR_NOT_PERMITTED, "operation not permitted"),
    Error SIM_ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    Error SIM_ERROR(CUDA_ERROR_SYSTEM_NOT_READY, "system not yet initialized"),
    Error SIM_ERROR(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "display driver and CUDA driver differ"),
    Error SIM_ERROR(CUDA_ERROR_MPS_CONNECTION_FAILED, "MPS client failed to connect"),
    Error SIM_ERROR(CUDA_ERROR_MPS_RPC_FAILURE, "MPS RPC failure"),
    Error SIM_ERROR(CUDA_ERROR_MPS_SERVER_NOT_READY, "MPS server is not ready"),
    Error SIM_ERROR(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED, "MPS has no room for more clients"),
    Error SIM_ERROR(CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED, "MPS has no more device connections"),
    Error SIM_ERROR(CUDA_ERROR_MPS_CLIENT_TERMINATED, "MPS client was terminated"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "not permitted during a capture"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier error spoilt the capture"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_MERGE, "two captures would become one"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture began in another stream"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "the capture has work that is not joined"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                    "a dependency on work outside the capture"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the legacy stream depends on a capture"),
    Error SIM_ERROR(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a capture"),
    Error SIM_ERROR(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "another thread began the capture"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_RESOURCE_TYPE, "invalid resource type"),
    Error SIM_ERROR(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION, "invalid resource configuration"),
    Error SIM_ERROR(CUDA_ERROR_UNKNOWN, "unknown error"),
};
#undef SIM_ERROR

const Error* find(CUresult value) {
    const auto* found = std::find_if(kErrors.begin(), kErrors.end(),
                                     [value](const Error& each) { return each.value == value; });
    return found != kErrors.end() ? found : nullptr;
}

CUresult answer(const char* symbol, CUresult error, const char** text,
                const char* const Error::*member) {
    Call call(symbol);
    if (call.failed()) return call.done();
    if (text == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    const Error* found = find(error);
    *text = found != nullptr ? found->*member : nullptr;
    return call.done(found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE, "error=%d", error);
}

}  // namespace

CUresult cuGetErrorName(CUresult error, const char** name) {
    return answer("cuGetErrorName", error, name, &Error::name);
}

CUresult cuGetErrorString(CUresult error, const char** text) {
    return answer("cuGetErrorString", error, text, &Error::text);
}

CUresult cuDriverGetVersion(int* version) {
    Call call("cuDriverGetVersion");
    if (call.failed()) return call.done();
    if (version == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    *version = sim::kDriverVersion;
    return call.done(CUDA_SUCCESS, "version=%d", *version);
}

CUresult cuGetExportTable(const void** table, const CUuuid* id) {
    Call call("cuGetExportTable");
    if (call.failed()) return call.done();
    if (table == nullptr || id == nullptr) return call.done(CUDA_ERROR_INVALID_VALUE);
    return call.done(CUDA_ERROR_NOT_FOUND);
}
