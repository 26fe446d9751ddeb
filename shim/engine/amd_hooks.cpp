#include "shim/engine/amd_hooks.h"

#include <errno.h>

#include <algorithm>
#include <exception>
#include <optional>

#include "shim/engine/amd_session.h"
#include "shim/engine/errno_keeper.h"

namespace ration {
namespace {

using amd::DeviceLimit;
using amd::HipError;
using amd::HipStream;
using amd::HsaStatus;
using amd::Mask;
using engine::AmdSession;

// Nothing is thrown into the program, which may not be C++ at all. A thread may be cancelled inside
// the library and unwinds through here, never inside our own work (see the session): not
// `catch (...)`, which would hold it up, and libc end the program. From within the library a call
// goes straight on.
template <Hook hook, class Result, class Logic, class... Arguments>
Result guarded(Result no_memory, Logic logic, Arguments... arguments) {
    const engine::ErrnoKeeper keeper;
    try {
        AmdSession& session = AmdSession::current();
        const auto real = session.real<hook>();
        if (real == nullptr) return no_memory;
        if (session.nested(library_of(hook))) return real(arguments...);
        return logic(session);
    } catch (const std::exception&) {
        return no_memory;
    }
}

template <Hook hook, class Logic, class... Arguments>
HipError hip(Logic logic, Arguments... arguments) {
    return guarded<hook>(amd::kHipErrorOutOfMemory, logic, arguments...);
}

template <Hook hook, class Logic, class... Arguments>
HsaStatus hsa(Logic logic, Arguments... arguments) {
    return guarded<hook>(amd::kHsaErrorOutOfResources, logic, arguments...);
}

// A call that makes a stream, as the program asked for it: flags, priority and the sharing of
// queues stay HIP's, because the kernel's side of the queue is where the mask is put on.
template <Hook hook, class... Rest>
HipError make_stream(HipStream* stream, Rest... rest) {
    return hip<hook>(
        [&](AmdSession& session) {
            if (session.no_streams()) return amd::kHipErrorNoDevice;
            const HipError result = session.call<hook>(stream, rest...);
            if (result == amd::kHipSuccess) session.streams().made(*stream, {});
            return result;
        },
        stream, rest...);
}

std::string beyond_text(const Mask& asked, const DeviceLimit& limit) {
    return "hipExtStreamCreateWithCUMask asks for CUs " + amd::hexadecimal(asked) + " of " +
           describe(limit.gpu) + ", of which the grant " + amd::hexadecimal(limit.mask) +
           " leaves nothing to run on: ask for CUs of the grant (hipExtStreamGetCUMask tells them)";
}

bool fits(const Mask& mask, std::uint32_t words) {
    return std::all_of(mask.begin() + std::min<std::size_t>(words, mask.size()), mask.end(),
                       [](std::uint32_t word) { return word == 0; });
}

std::string too_short_text(std::uint32_t words, const Mask& told, const DeviceLimit& limit) {
    return "hipExtStreamGetCUMask has room for the first " + std::to_string(32 * words) +
           " CUs of " + describe(limit.gpu) + ", and the stream has " + amd::hexadecimal(told) +
           ": give it " + std::to_string(told.size()) + " words";
}

// What the stream runs on: the program's mask, the grant's and that of ROC_GLOBAL_CU_MASK hold. HIP
// leaves the program's out where nothing is left of it beside the last (run: ROCm 5.2.3).
Mask applied(const Mask& asked, const DeviceLimit& limit) {
    const Mask& most = limit.hip_mask.empty() ? limit.mask : limit.hip_mask;
    const Mask both = asked.empty() ? most : within(asked, most, limit.gpu);
    return both.empty() ? most : both;
}

std::optional<std::uint32_t> number_of(const AmdSession& session, amd::HsaAgent agent,
                                       amd::HsaAgentInfo attribute) {
    std::uint32_t number = 0;
    const HsaStatus status =
        session.call<Hook::hsa_agent_get_info>(agent, attribute, static_cast<void*>(&number));
    return status == amd::kHsaSuccess ? std::optional(number) : std::nullopt;
}

// On an APU the processor's agent is of the same node as the GPU's.
std::optional<DeviceLimit> limit_of(const AmdSession& session, amd::HsaAgent agent) {
    if (number_of(session, agent, amd::kHsaAgentInfoDevice) != amd::kHsaDeviceTypeGpu) {
        return std::nullopt;
    }
    const auto node = number_of(session, agent, amd::kHsaAmdAgentInfoDriverNodeId);
    return node ? session.limit_of_node(*node) : std::nullopt;
}

}  // namespace

HipError amd_hook::hipInit(unsigned int flags) {
    return hip<Hook::hipInit>(
        [&](AmdSession& session) {
            if (session.no_streams()) return amd::kHipErrorNoDevice;
            const HipError result = session.call<Hook::hipInit>(flags);
            // It initialises HSA, and there the kernel's refusal of a mask shows.
            return session.no_streams() ? amd::kHipErrorNoDevice : result;
        },
        flags);
}

HipError amd_hook::hipStreamCreate(HipStream* stream) {
    return make_stream<Hook::hipStreamCreate>(stream);
}

HipError amd_hook::hipStreamCreateWithFlags(HipStream* stream, unsigned int flags) {
    return make_stream<Hook::hipStreamCreateWithFlags>(stream, flags);
}

HipError amd_hook::hipStreamCreateWithPriority(HipStream* stream, unsigned int flags,
                                               int priority) {
    return make_stream<Hook::hipStreamCreateWithPriority>(stream, flags, priority);
}

HipError amd_hook::hipExtStreamCreateWithCUMask(HipStream* stream, std::uint32_t words,
                                                const std::uint32_t* mask) {
    constexpr Hook kHook = Hook::hipExtStreamCreateWithCUMask;
    return hip<kHook>(
        [&](AmdSession& session) {
            if (session.no_streams()) return amd::kHipErrorNoDevice;
            // What is malformed is HIP's to refuse.
            const Mask asked = mask == nullptr ? Mask{} : Mask(mask, mask + words);
            const auto limit = session.limit_of_current_device();
            const bool bounded = limit && !limit->mask.empty() && !asked.empty();
            if (bounded && within(asked, limit->mask, limit->gpu).empty()) {
                session.complain(beyond_text(asked, *limit));
                return amd::kHipErrorInvalidValue;
            }
            const HipError result = session.call<kHook>(stream, words, mask);
            if (result == amd::kHipSuccess) session.streams().made(*stream, asked);
            return result;
        },
        stream, words, mask);
}

// HIP's own answer comes first, because it checks the arguments.
HipError amd_hook::hipExtStreamGetCUMask(HipStream stream, std::uint32_t words,
                                         std::uint32_t* mask) {
    constexpr Hook kHook = Hook::hipExtStreamGetCUMask;
    return hip<kHook>(
        [&](AmdSession& session) {
            const HipError result = session.call<kHook>(stream, words, mask);
            if (result != amd::kHipSuccess || mask == nullptr) return result;
            const auto limit = session.limit_of_stream(stream);
            if (!limit || limit->mask.empty()) return result;
            const Mask told = applied(session.streams().asked(stream), *limit);
            // HIP asks for the words of as many CUs as there are in the grant; the grant's own may
            // lie behind them.
            if (!fits(told, words)) {
                session.complain(too_short_text(words, told, *limit));
                return amd::kHipErrorInvalidValue;
            }
            for (std::uint32_t i = 0; i < words; ++i) mask[i] = i < told.size() ? told[i] : 0;
            return result;
        },
        stream, words, mask);
}

HipError amd_hook::hipMemGetInfo(std::size_t* available, std::size_t* total) {
    return hip<Hook::hipMemGetInfo>(
        [&](AmdSession& session) {
            const HipError result = session.call<Hook::hipMemGetInfo>(available, total);
            if (result != amd::kHipSuccess) return result;
            const auto limit = session.limit_of_current_device();
            if (!limit || !limit->memory) return result;
            const std::size_t left = session.memory_left(*limit);
            if (available != nullptr) *available = std::min(*available, left);
            if (total != nullptr) *total = std::min<std::size_t>(*total, *limit->memory);
            return result;
        },
        available, total);
}

HsaStatus amd_hook::hsa_init() {
    return hsa<Hook::hsa_init>([](AmdSession& session) {
        if (session.no_streams()) return amd::kHsaErrorOutOfResources;
        const HsaStatus result = session.call<Hook::hsa_init>();
        return result == amd::kHsaSuccess ? session.initialised() : result;
    });
}

// From these numbers HIP, OpenCL and OpenMP make multiProcessorCount, occupancy and the limits of
// cooperative launches.
HsaStatus amd_hook::hsa_agent_get_info(amd::HsaAgent agent, amd::HsaAgentInfo attribute,
                                       void* value) {
    constexpr Hook kHook = Hook::hsa_agent_get_info;
    return hsa<kHook>(
        [&](AmdSession& session) {
            const HsaStatus result = session.call<kHook>(agent, attribute, value);
            if (result != amd::kHsaSuccess || value == nullptr) return result;
            if (attribute != amd::kHsaAmdAgentInfoComputeUnitCount &&
                attribute != amd::kHsaAmdAgentInfoCooperativeComputeUnitCount) {
                return result;
            }
            const auto limit = limit_of(session, agent);
            auto& count = *static_cast<std::uint32_t*>(value);
            if (limit && !limit->mask.empty()) count = std::min(count, limit->cus);
            return result;
        },
        agent, attribute, value);
}

int amd_hook::ioctl(int descriptor, unsigned long number, void* argument) {
    const amd::kfd::Call call{descriptor, number, argument};
    AmdSession* const session = AmdSession::find();
    if (session == nullptr) return AmdSession::without_session(call);
    if (session->passes(number)) return session->pass(call);
    const int before = errno;
    try {
        const int result = session->ioctl(call);
        if (result >= 0) errno = before;
        return result;
    } catch (const std::exception&) {
        errno = ENOMEM;
        return -1;
    }
}

void* engine::amd_hook_function(Hook row) {
    switch (row) {
#define AMD_CASE(symbol) \
    case Hook::symbol:   \
        return reinterpret_cast<void*>(&amd_hook::symbol);
#define HIP_HOOK(symbol, family) AMD_CASE(symbol)
#define HSA_HOOK(symbol, family) AMD_CASE(symbol)
#define LIBC_HOOK(symbol, family) AMD_CASE(symbol)
#include "shim/preload/hooks.def"
#undef AMD_CASE
        default:
            break;
    }
    return nullptr;
}

}  // namespace ration
