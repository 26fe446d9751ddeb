#include "tools/ration/driver_audit.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "tools/ration/elf.h"
#include "tools/ration/failure.h"

namespace ration::tool {
namespace {

// The course: what a context comes from. The other groups are hooked under some plans only.
constexpr std::array kListed{
#define CUDA_GREEN(symbol, family, ...)
#define CUDA_CURRENT(symbol, family)
#define CUDA_STREAM(symbol, family, ...)
#define CUDA_STREAM_MEMORY(symbol, family, ...)
#define CUDA_MEMORY(symbol, family, ...)
#define CUDA_HOOK(symbol, family) std::string_view{#symbol},
#define CUDA_FRONT(symbol, family) std::string_view{#symbol},
#include "shim/preload/hooks.def"
};

// Entry points that make a context, take one, or hand out entry points. `harmless` says why one of
// them that is not on the list cannot lead round the share.
struct Pattern {
    std::string_view prefix;
    const char* harmless = nullptr;
};
constexpr const char* kDivides =
    "divides what an MPS client or a MIG instance was granted; hooked under mechanism green";
constexpr std::array<Pattern, 8> kContextMaking{{
    {"cuInit"},
    {"cuCtxCreate"},
    {"cuCtxSetCurrent"},
    {"cuCtxPushCurrent"},
    {"cuDevicePrimaryCtxRetain"},
    {"cuGetProcAddress"},
    {"cuGreenCtxCreate", kDivides},
    {"cuCtxFromGreenCtx", kDivides},
}};

constexpr std::array kKnown{
#define ENTRY_POINT(symbol) std::string_view{#symbol},
#include "shim/cuda/stream/entry_points.def"
};

// Of other headers than cuda.h: cudaGL.h, cudaEGL.h, cudaVDPAU.h, cudaProfiler.h.
constexpr std::array<std::string_view, 7> kOtherHeaders{
    "cuGL", "cuGraphicsGL", "cuEGL", "cuGraphicsEGL", "cuVDPAU", "cuGraphicsVDPAU", "cuProfiler"};

// Whether it is named as cuda.h names its functions ("cudbg..." are not), and is none of them.
bool unknown(std::string_view name) {
    const bool of_cuda =
        name.size() > 2 && name.substr(0, 2) == "cu" && name[2] >= 'A' && name[2] <= 'Z';
    const auto begins = [&](std::string_view prefix) {
        return name.substr(0, prefix.size()) == prefix;
    };
    return of_cuda && std::none_of(kOtherHeaders.begin(), kOtherHeaders.end(), begins) &&
           std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end();
}

const Pattern* context_making(std::string_view name) {
    const auto found =
        std::find_if(kContextMaking.begin(), kContextMaking.end(), [&](const Pattern& pattern) {
            return name.substr(0, pattern.prefix.size()) == pattern.prefix;
        });
    return found == kContextMaking.end() ? nullptr : &*found;
}

bool listed(std::string_view name) {
    return std::find(kListed.begin(), kListed.end(), name) != kListed.end();
}

}  // namespace

DriverAudit audit_symbols(const std::vector<std::string>& exported) {
    DriverAudit audit;
    for (const std::string& name : exported) {
        audit.exported += name.compare(0, 2, "cu") == 0 ? 1 : 0;
        const Pattern* pattern = context_making(name);
        if (listed(name)) {
            audit.hooked.push_back(name);
        } else if (pattern != nullptr && pattern->harmless != nullptr) {
            audit.harmless.push_back({name, pattern->harmless});
        } else if (pattern != nullptr) {
            audit.unhooked.push_back(name);
        } else if (unknown(name)) {
            audit.unknown.push_back(name);
        }
    }
    for (const std::string_view name : kListed) {
        // The C library's, not the driver's.
        if (name != "dlsym" &&
            std::find(exported.begin(), exported.end(), name) == exported.end()) {
            audit.missing.emplace_back(name);
        }
    }
    return audit;
}

DriverAudit audit_driver(const std::string& file) {
    const std::vector<std::string> exported = exported_symbols(file);
    if (!std::binary_search(exported.begin(), exported.end(), "cuInit")) {
        throw Failure(kFailed, file + " exports no cuInit, so it is no CUDA driver");
    }
    return audit_symbols(exported);
}

}  // namespace ration::tool
