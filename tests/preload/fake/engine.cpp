// An engine that counts, in place of the real one: what it does is chosen by FAKE_ENGINE
// (pass | hook | once | refuse | wait | reenter | raise | cancel).
#include "fake/engine.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
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
    if (strcmp(getenv("FAKE_ENGINE"), "once") == 0) front->route(hook, nullptr);
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

// Counts, and goes on to the real function.
template <ration::Hook hook, class... Arguments>
int amd_hooked(Arguments... arguments) {
    auto* const real =
        reinterpret_cast<int (*)(Arguments...)>(front->real(static_cast<uint32_t>(hook)));
    int& depth = *front->depth(static_cast<uint32_t>(ration::library_of(hook)));
    (depth > 0 ? fake_engine.amd_nested : fake_engine.amd_hooked).fetch_add(1);
    ++depth;
    const int result = real(arguments...);
    --depth;
    return result;
}

int hooked_ioctl(int descriptor, unsigned long request, void* argument) {
    fake_engine.amd_ioctls.fetch_add(1);
    const auto hook = static_cast<uint32_t>(ration::Hook::ioctl);
    return reinterpret_cast<int (*)(int, unsigned long, void*)>(front->real(hook))(
        descriptor, request, argument);
}

class Targets {
  public:
    template <class Function>
    void set(ration::Hook hook, Function* function) {
        of_[static_cast<uint32_t>(hook)] = reinterpret_cast<void*>(function);
    }

    void install(ration::Vendor vendor, std::atomic<int>& counter) const {
        const auto count = [](void* of_this) {
            static_cast<std::atomic<int>*>(of_this)->fetch_add(1);
        };
        front->install(static_cast<uint32_t>(vendor), of_, count, &counter);
    }

  private:
    void* of_[ration::kHookCount] = {};
};

void wait_for_word() {
    char byte = 0;
    if (write(atoi(getenv("FAKE_ENGINE_SAYS")), "d", 1) != 1) abort();
    if (read(atoi(getenv("FAKE_ENGINE_WAITS")), &byte, 1) != 1) abort();
}

}  // namespace

FakeEngine fake_engine;

extern "C" __attribute__((visibility("default"))) int ration_engine_attach_amd(
    const ration_front* offered, char* reason, uint32_t capacity) {
    using ration::Hook;
    fake_engine.amd_attached.fetch_add(1);
    errno = EIO;
    if (offered->abi != RATION_ENGINE_ABI) return 1;
    front = offered;
    const char* const wish = getenv("FAKE_ENGINE");
    if (wish == nullptr || strcmp(wish, "pass") == 0) return 0;
    if (strcmp(wish, "refuse") == 0) {
        strncpy(reason, "the fake engine refuses", capacity - 1);
        return 100;
    }
    if (strcmp(wish, "wait") == 0) wait_for_word();
    Targets targets;
    targets.set(Hook::hipInit, &amd_hooked<Hook::hipInit, unsigned>);
    targets.set(Hook::hipStreamCreate, &amd_hooked<Hook::hipStreamCreate, void**>);
    targets.set(Hook::hipStreamCreateWithFlags,
                &amd_hooked<Hook::hipStreamCreateWithFlags, void**, unsigned>);
    targets.set(Hook::hsa_init, &amd_hooked<Hook::hsa_init>);
    targets.set(Hook::ioctl, &hooked_ioctl);
    targets.install(ration::Vendor::kAmd, fake_engine.amd_installed);
    return 0;
}

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
    if (strcmp(wish, "wait") == 0) wait_for_word();
    if (strcmp(wish, "raise") == 0 && fake_engine.attached == 1) raise(SIGUSR1);
    if (strcmp(wish, "cancel") == 0) pthread_testcancel();
    Targets targets;
    targets.set(ration::Hook::cuInit, &hooked_init);
    targets.set(ration::Hook::cuCtxSetCurrent, &hooked_set_current);
    targets.install(ration::Vendor::kNvidia, fake_engine.installed);
    return 0;
}
