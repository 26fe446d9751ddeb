// cuInit, and what a real driver is known to do inside it: look its own names up, start threads
// that call back into the program's idea of the driver (profilers are injected there).
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <mutex>
#include <new>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

namespace sim {
namespace {

// In raw storage, because a forked child makes it anew: its holder stayed in the parent.
alignas(std::mutex) unsigned char g_init_storage[sizeof(std::mutex)];
std::mutex& init_mutex() {
    static std::mutex* made = [] {
        pthread_atfork(nullptr, nullptr, [] { new (g_init_storage) std::mutex; });
        return new (g_init_storage) std::mutex;
    }();
    return *made;
}

void delay(long microseconds) {
    if (microseconds <= 0) return;
    timespec left{microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0) {
    }
}

const char* whose(void* symbol) {
    if (symbol == nullptr) return "none";
    return symbol == reinterpret_cast<void*>(&cuInit) ? "own" : "other";
}

void look_up_own_name() {
    void* self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void* by_handle = self != nullptr ? dlsym(self, "cuInit") : nullptr;
    log_line("dlsym handle=%s default=%s next=%s", whose(by_handle),
             whose(dlsym(RTLD_DEFAULT, "cuInit")), whose(dlsym(RTLD_NEXT, "cuInit")));
    if (self != nullptr) dlclose(self);
}

void* injected_profiler(void*) {
    void* visible = dlsym(RTLD_DEFAULT, "cuInit");
    const auto init = visible != nullptr ? reinterpret_cast<decltype(&cuInit)>(visible) : &cuInit;
    const CUresult result = init(0);
    int version = 0;
    cuDriverGetVersion(&version);
    log_line("thread cuInit=%d version=%d", result, version);
    return nullptr;
}

// Bounded: a program that holds a lock across the real cuInit would hang here for ever.
void run_injected_profiler() {
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, injected_profiler, nullptr) != 0) return;
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    if (pthread_timedjoin_np(thread, nullptr, &until) != 0) {
        log_line("thread deadlock");
        pthread_detach(thread);
    }
}

CUresult first_init() {
    const std::lock_guard<std::mutex> lock(init_mutex());
    if (Driver::get() != nullptr) return CUDA_SUCCESS;
    delay(settings().init_delay_us);
    if (settings().init_dlsym) look_up_own_name();
    return Driver::initialise();
}

}  // namespace
}  // namespace sim

CUresult cuInit(unsigned flags) {
    if (sim::Driver::get() == nullptr) sim::reload_settings();
    sim::Call call("cuInit");
    if (call.failed()) return call.done();
    if (flags != 0) return call.done(CUDA_ERROR_INVALID_VALUE, "flags=%u", flags);
    if (sim::Driver::get() != nullptr) return call.done(CUDA_SUCCESS, "again");
    const CUresult result = sim::first_init();
    const sim::Driver* driver = sim::Driver::get();
    if (result != CUDA_SUCCESS || driver == nullptr) return call.done(result);
    if (sim::settings().init_thread) sim::run_injected_profiler();
    return call.done(result, "devices=%zu mps=%d ceiling=%g priority=%d sms=%d",
                     driver->devices.size(), driver->mps_enabled, driver->mps.percentage(),
                     driver->client_priority, driver->devices[0].sm_granted);
}
