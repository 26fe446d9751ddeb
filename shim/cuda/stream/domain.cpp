#include "shim/cuda/stream/domain.h"

#include <new>

#include "shim/cuda/stream/layer.h"
#include "shim/cuda/stream/stand_in.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::stream {
namespace {

// Homes that live at once: one a device, and 8 GPUs have 56 MIG instances at most.
constexpr unsigned kMost = 64;
std::atomic<Domain*> domains[kMost];
std::atomic<unsigned> count{0};
std::uint64_t lives = 0;  // guarded by registry()

Domain* unused_domain() {
    const unsigned known = count.load(std::memory_order_relaxed);
    for (unsigned i = 0; i < known; ++i) {
        Domain* const each = domains[i].load(std::memory_order_relaxed);
        if (each->home.load(std::memory_order_relaxed) == nullptr) return each;
    }
    auto* const made = known < kMost ? new (std::nothrow) Domain : nullptr;
    if (made == nullptr) return nullptr;
    domains[known].store(made, std::memory_order_relaxed);
    count.store(known + 1, std::memory_order_release);
    return made;
}

void forget_records(Domain& domain) {
    domain.dirty.store(nullptr);
    domain.gone = 0;
    domain.most_gone = 0;
    while (Record* const record = domain.records) {
        domain.records = record->next_in_domain;
        record->dirty = false;
        const CUstream stream = record->stream;
        if (record->stand_in && stream != nullptr) real.cuStreamDestroy_v2(stream);
        free_record(*record);
    }
}

}  // namespace

Domain* open(CUdevice, CUcontext home, CUcontext primary) {
    const host::UndisturbedLock lock(registry());
    Domain* const domain = unused_domain();
    if (domain == nullptr) return nullptr;
    domain->primary = primary;
    domain->life = ++lives;
    domain->sequence = 1;
    domain->recorded = 0;
    domain->home.store(home, std::memory_order_release);
    return domain;
}

void close(Domain* domain) {
    if (domain == nullptr) return;
    const OrderLock::Held held = domain->order.take();
    {
        const host::UndisturbedLock lock(registry());
        forget_idle(*domain);
        forget_records(*domain);
        if (domain->event != nullptr) real.cuEventDestroy_v2(domain->event);
        domain->event = nullptr;
        domain->life = 0;
        domain->home.store(nullptr, std::memory_order_release);
    }
    domain->order.release(held);
}

Domain* domain_of(CUcontext context) {
    if (context == nullptr) return nullptr;
    const unsigned known = count.load(std::memory_order_acquire);
    for (unsigned i = 0; i < known; ++i) {
        Domain* const each = domains[i].load(std::memory_order_relaxed);
        if (each->home.load(std::memory_order_acquire) == context) return each;
    }
    return nullptr;
}

void renew_domains() {
    const unsigned known = count.load(std::memory_order_acquire);
    for (unsigned i = 0; i < known; ++i) new (domains[i].load()) Domain;
}

Domain* current_domain() {
    CUcontext current = nullptr;
    return real.cuCtxGetCurrent(&current) == CUDA_SUCCESS ? domain_of(current) : nullptr;
}

InHome::InHome(const Domain& domain) {
    const CUcontext home = domain.home.load(std::memory_order_acquire);
    CUcontext current = nullptr;
    if (real.cuCtxGetCurrent(&current) == CUDA_SUCCESS && current == home) return;
    pushed_ = real.cuCtxPushCurrent_v2(home) == CUDA_SUCCESS;
}

InHome::~InHome() {
    CUcontext popped = nullptr;
    if (pushed_) real.cuCtxPopCurrent_v2(&popped);
}

Relaxed::Relaxed() { real.cuThreadExchangeStreamCaptureMode(&mode_); }
Relaxed::~Relaxed() { real.cuThreadExchangeStreamCaptureMode(&mode_); }

CUresult need_event(const Domain& domain, CUevent& event) {
    if (event != nullptr) return CUDA_SUCCESS;
    const InHome in_home(domain);
    const Relaxed relaxed;
    return real.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING);
}

}  // namespace ration::cuda::stream
