#include "shim/preload/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "shim/engine/boundary.h"
#include "shim/policy/sources.h"
#include "shim/preload/front.h"
#include "shim/preload/libc.h"
#include "shim/preload/objects.h"
#include "shim/preload/signatures.h"

namespace ration::front {
namespace {

// Initial-exec: a preloaded object has its place in the static TLS block, so that an access neither
// allocates nor calls the loader.
__attribute__((tls_model("initial-exec"))) thread_local int depths[kLibraryCount] = {};
__attribute__((tls_model("initial-exec"))) thread_local void* engines_word = nullptr;

constexpr ration_front kFront = {
    .abi = RATION_ENGINE_ABI,
    .hook_count = kHookCount,
    .real = [](uint32_t hook) { return hook < kHookCount ? real(Hook{hook}) : nullptr; },
    .find = [](uint32_t library, const char* name) -> void* {
        return library < kLibraryCount ? find(static_cast<Library>(library), name) : nullptr;
    },
    .route = [](uint32_t hook, void* function) { route(hook, function); },
    .depth = [](uint32_t library) { return &depths[library < kLibraryCount ? library : 0]; },
    .word = [] { return &engines_word; },
    .decide = [](uint32_t vendor) { return vendor < 2 && decide(Vendor{vendor}) ? 1 : 0; },
    .install =
        [](uint32_t vendor, void* const* targets, void (*commit)(void*), void* state) {
            const Installation installation{.targets = targets, .commit = commit, .state = state};
            return vendor < 2 && install(Vendor{vendor}, installation) ? 1 : 0;
        },
};

bool set(const char* variable) {
    const char* const value = getenv(variable);
    return value != nullptr && *value != '\0';
}

// True also where nobody knows: the engine finds out, and a locked policy fails closed.
bool may_exist(const char* folder, const char* file) {
    char path[4096];
    if (strlen(folder) + strlen(file) >= sizeof path) return true;
    if (access(strcat(strcpy(path, folder), file), F_OK) == 0) return true;
    return errno != ENOENT && errno != ENOTDIR;
}

// A user's own; a home that this process may not look into is as none.
bool may_be_users(const char* folder, const char* file) {
    errno = 0;
    return may_exist(folder, file) && errno != EACCES;
}

// Errs on the side of "yes": the engine knows exactly.
bool policy_in_sight() {
    if (set(policy::kPolicyVariable)) return true;
    for (const char* variable : policy::kAskingVariables) {
        if (set(variable)) return true;
    }
    if (may_exist(policy::kEtcFolder, policy::kPolicyFile) ||
        may_exist(policy::kEtcFolder, policy::kPolicyFolder) ||
        may_exist(policy::kRunFolder, policy::kPolicyFolder)) {
        return true;
    }
    const char* const config = getenv("XDG_CONFIG_HOME");
    if (config != nullptr && config[0] == '/') return may_be_users(config, policy::kConfigFile);
    return set("HOME") && may_be_users(getenv("HOME"), policy::kHomeFile);
}

Attached refuse(Vendor vendor, const char* text, const char* detail) {
    const char* const advice =
        "; this process has a policy, so its GPU calls fail: reinstall ration, restart the job, or "
        "remove libration.so from LD_PRELOAD";
    Attached refused;
    refused.code =
        vendor == Vendor::kNvidia ? int{CUDA_ERROR_NOT_PERMITTED} : int{amd::kHipErrorNoDevice};
    for (const char* part : {text, detail, advice}) {
        strncat(refused.line, part, sizeof refused.line - 1 - strlen(refused.line));
    }
    return refused;
}

// A forked child of a process with an engine asks it again, whatever is in sight: the parent's
// session is still there, and must learn that it has ended.
std::atomic<bool> has_engine{false};

}  // namespace

Attached attach_engine(Vendor vendor) {
    if (!has_engine && !policy_in_sight()) return {};
    char path[4096];
    if (!objects::beside_us(RATION_ENGINE_FILE, path, sizeof path)) {
        return refuse(vendor, "cannot find the folder of libration.so", "");
    }
    const char* why = "";
    void* const engine = libc::open(path, &why);
    if (engine == nullptr) return refuse(vendor, "cannot load the engine: ", why);
    const auto attach = reinterpret_cast<ration_engine_attach_fn>(libc::real_dlsym()(
        engine, vendor == Vendor::kNvidia ? RATION_ENGINE_ATTACH : RATION_ENGINE_ATTACH_AMD));
    if (attach == nullptr) return refuse(vendor, path, " is not an engine of this version");
    has_engine = true;
    find_all(vendor);
    Attached attached;
    attached.code = attach(&kFront, attached.line, sizeof attached.line);
    return attached;
}

}  // namespace ration::front
