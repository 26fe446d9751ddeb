#include "shim/cuda/context_error.h"

#include <algorithm>

namespace ration::cuda {
namespace {

// What a context itself takes under a limit (measured: H100, driver 580.159.04).
std::string explain_out_of_memory(const Grant& grant) {
    std::uint64_t limit = 0;
    for (const DeviceGrant& device : grant.devices) {
        if (device.memory != 0) limit = limit == 0 ? device.memory : std::min(limit, device.memory);
    }
    return "a context does not fit into the memory limit of " + std::to_string(limit) +
           " MiB: it takes about 145 MiB itself with 32 SMs and 514 MiB with 132; raise memory in "
           "the policy, or ask for fewer SMs";
}

bool has_limit(const Grant& grant) {
    return std::any_of(grant.devices.begin(), grant.devices.end(),
                       [](const DeviceGrant& device) { return device.memory != 0; });
}

}  // namespace

std::optional<std::string> explain_context_error(CUresult code, const Grant& grant) {
    if (grant.mechanism != "mps" && grant.mechanism != "green") return std::nullopt;
    switch (code) {
        case CUDA_ERROR_OUT_OF_MEMORY:
            if (!has_limit(grant)) return std::nullopt;
            return explain_out_of_memory(grant);
        case CUDA_ERROR_MPS_CONNECTION_FAILED:
            return "the MPS daemon does not answer any more: start one with `ration mps "
                   "ensure` and restart the program";
        case CUDA_ERROR_MPS_RPC_FAILURE:
            return "the MPS server broke off: see its log with `ration mps status`, and "
                   "restart the program";
        case CUDA_ERROR_MPS_SERVER_NOT_READY:
            return "the MPS server is starting or recovering from a client's fault: retry in a few "
                   "seconds, or restart it with `ration mps stop` and `ration mps ensure`";
        case CUDA_ERROR_MPS_MAX_CLIENTS_REACHED:
            return "the MPS server has as many clients on this device as it takes (48, or 60 from "
                   "CUDA 13.1): wait until one ends (`ration ps` lists them), or run fewer "
                   "processes";
        case CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED:
            return "the MPS server's clients have used up this device's hardware connections: run "
                   "fewer processes, or set CUDA_DEVICE_MAX_CONNECTIONS to a smaller number in "
                   "each";
        case CUDA_ERROR_MPS_CLIENT_TERMINATED:
            return "the MPS server has ended this client: an administrator or another client's "
                   "fault did; restart the program";
        default:
            return std::nullopt;
    }
}

}  // namespace ration::cuda
