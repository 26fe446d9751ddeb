#include "shim/engine/memory_quota.h"

#include <algorithm>

#include "shim/cuda/memory_limit.h"
#include "shim/cuda/quota/units.h"
#include "shim/cuda/real.h"
#include "shim/engine/green_course.h"
#include "shim/engine/log.h"
#include "shim/engine/node_locks.h"
#include "shim/engine/stream_hooks.h"
#include "shim/preload/hooks.h"

namespace ration::engine {
namespace {

using cuda::Refusal;
using cuda::quota::Account;
using cuda::quota::Ledger;
using cuda::quota::Units;

constexpr unsigned kBitsOfMebibyte = 20;

Refusal refuse(std::string line) { return {CUDA_ERROR_NOT_PERMITTED, std::move(line)}; }

cuda::Or<std::unique_ptr<cuda::quota::Supply>> share(const std::string& uuid,
                                                     const std::string& key, std::uint64_t bytes) {
    std::string why;
    const auto units = static_cast<unsigned>(
        std::min<std::uint64_t>(bytes / state::kBytesOfUnit, state::kMostUnits));
    if (units == 0) return refuse("memory: a quota that processes share has 2 MiB at least");
    auto opened = state::QuotaUnits::open(lock_place(), uuid, key, units, why);
    if (!opened) {
        return refuse("the memory quota cannot be shared by scope: " + why +
                      "; make the runtime directory usable, or leave out scope");
    }
    return std::make_unique<Units>(std::move(opened), [](const std::string& line) {
        log::write(log::Level::kWarn, "the shared memory quota: " + line);
    });
}

// A home's streams are asked by way of their layer, which knows what stands for the thread's own.
CUresult is_capturing(CUstream stream, CUstreamCaptureStatus* status) {
    using Function = cuda::Entry<Hook::cuStreamIsCapturing>;
    const auto ask = GreenCourse::active() == nullptr
                         ? cuda::real<Hook::cuStreamIsCapturing>()
                         : reinterpret_cast<Function>(stream_function(Hook::cuStreamIsCapturing));
    return ask == nullptr ? CUDA_ERROR_NOT_SUPPORTED : ask(stream, status);
}

cuda::quota::Calls calls_of(const ration_front& front) {
    cuda::quota::Calls calls;
    const auto library = static_cast<std::uint32_t>(Library::CUDA);
#define CALL(symbol) \
    calls.symbol = reinterpret_cast<decltype(&::symbol)>(front.find(library, #symbol));
#include "shim/cuda/quota/calls.def"
#undef CALL
    calls.cuStreamIsCapturing = &is_capturing;
    return calls;
}

}  // namespace

std::optional<Refusal> read_quotas(const cuda::CountedMemory& counted, cuda::Grant& grant) {
    const auto total_of = cuda::real<Hook::cuDeviceTotalMem_v2>();
    for (std::size_t ordinal = 0; ordinal < grant.devices.size(); ++ordinal) {
        cuda::DeviceGrant& device = grant.devices[ordinal];
        std::size_t total = 0;
        if (total_of == nullptr ||
            total_of(&total, static_cast<CUdevice>(ordinal)) != CUDA_SUCCESS) {
            return refuse("memory: the driver does not tell how much memory " + device.uuid +
                          " has: run `ration doctor`");
        }
        device.memory = cuda::quota_bytes(counted.memory, total) >> kBitsOfMebibyte;
        if (device.memory == 0) {
            return refuse(
                format(policy::Diagnostic{counted.place, cuda::below_a_mebibyte(device.uuid)}));
        }
    }
    return std::nullopt;
}

cuda::Or<std::unique_ptr<Ledger>> make_ledger(const ration_front& front,
                                              const cuda::CountedMemory& counted,
                                              const cuda::Grant& grant) {
    const std::string key = scope_key(counted.scope, counted.slot, counted.cgroup);
    if (key.empty() && counted.scope != policy::Scope::kProcess) {
        return refuse(
            "the memory quota cannot be shared: this process's cgroup is not known; choose "
            "another scope");
    }
    Ledger::Accounts accounts;
    for (const cuda::DeviceGrant& device : grant.devices) {
        const std::uint64_t bytes = device.memory << kBitsOfMebibyte;
        std::unique_ptr<cuda::quota::Supply> supply;
        if (!key.empty()) {
            auto shared = share(device.uuid, key, bytes);
            if (const Refusal* refusal = cuda::refusal_of(shared)) return *refusal;
            supply = std::move(std::get<std::unique_ptr<cuda::quota::Supply>>(shared));
        }
        accounts.push_back(std::make_unique<Account>(bytes, std::move(supply)));
    }
    return std::make_unique<Ledger>(
        calls_of(front), std::move(accounts),
        [](const std::string& line) { log::write(log::Level::kInfo, line); });
}

}  // namespace ration::engine
