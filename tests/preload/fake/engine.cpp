// An engine that counts, in place of the real one: what it does is chosen by FAKE_ENGINE
// (pass | hook | refuse | wait | reenter).
#include "fake/engine.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "shim/engine/boundary.h"
#include "shim/preload/hooks.h"

namespace {

const ration_front* front;
constexpr auto kCuda = static_cast<uint32_t>(ration::Library::CUDA);

int hooked_set_current(void* context) {
    fake_engine.hooked.fetch_add(1);
    using Function = int (*)(void*);
    const auto hook = static_cast<uint32_t>(ration::Hook::cuCtxSetCurrent);
    return reinterpret_cast<Function>(front->real(hook))(context);
}

int hooked_init(unsigned flags) {
    const auto hook = static_cast<uint32_t>(ration::Hook::cuInit);
    auto* const real = reinterpret_cast<int (*)(unsigned)>(front->real(hook));
    if (*front->depth(kCuda) > 0) {
        fake_engine.nested.fetch_add(1);
        return real(flags);
    }
    fake_engine.hooked.fetch_add(1);
    ++*front->depth(kCuda);
    const int result = real(flags);
    --*front->depth(kCuda);
    return result;
}

}  // namespace

FakeEngine fake_engine;

extern "C" __attribute__((visibility("default"))) int ration_engine_attach(
    const ration_front* offered, char* reason, uint32_t capacity) {
    fake_engine.attached.fetch_add(1);
    errno = EIO;  // whatever happens in here is not the program's business
    if (offered->abi != RATION_ENGINE_ABI) return 1;
    front = offered;
    const char* const wish = getenv("FAKE_ENGINE");
    if (wish == nullptr || strcmp(wish, "pass") == 0) return 0;
    if (strcmp(wish, "refuse") == 0) {
        strncpy(reason, "the fake engine refuses", capacity - 1);
        return 800;
    }
    if (strcmp(wish, "reenter") == 0) {
        // As a library that the engine brings along may do while it is loaded.
        auto* const set_current =
            reinterpret_cast<int (*)(void*)>(dlsym(RTLD_DEFAULT, "cuCtxSetCurrent"));
        if (set_current(nullptr) != 0) abort();
    }
    if (strcmp(wish, "wait") == 0) {
        char byte = 0;
        if (write(atoi(getenv("FAKE_ENGINE_SAYS")), "d", 1) != 1) abort();
        if (read(atoi(getenv("FAKE_ENGINE_WAITS")), &byte, 1) != 1) abort();
    }
    front->route(static_cast<uint32_t>(ration::Hook::cuInit),
                 reinterpret_cast<void*>(&hooked_init));
    front->route(static_cast<uint32_t>(ration::Hook::cuCtxSetCurrent),
                 reinterpret_cast<void*>(&hooked_set_current));
    return 0;
}
