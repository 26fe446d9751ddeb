#include "shim/cuda/stream/stand_in.h"

#include <new>

#include "shim/cuda/stream/capture.h"
#include "shim/cuda/stream/dormancy.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::stream {
namespace {

StandIn* of_this_thread(const Thread& thread, const Domain& domain) {
    StandIn* each = thread.stand_ins;
    while (each != nullptr && (each->domain != &domain || each->life != domain.life)) {
        each = each->next;
    }
    return each;
}

// Work that another thread has left there must not hold this one up, as it wouldn't in CUDA.
bool is_idle(const Record& record) {
    const CUstream stream = record.stream;
    return !is_capturing(stream) && real.cuStreamQuery(stream) == CUDA_SUCCESS;
}

StandIn* take_idle(Domain& domain) {
    const Relaxed relaxed;
    const host::UndisturbedLock lock(registry());
    for (StandIn** link = &domain.idle; *link != nullptr; link = &(*link)->next) {
        StandIn* const each = *link;
        if (!is_idle(*each->record)) continue;
        *link = each->next;
        return each;
    }
    return nullptr;
}

StandIn* make(Domain& domain, CUresult& why) {
    CUstream stream = nullptr;
    {
        const InHome in_home(domain);
        const Relaxed relaxed;
        why = real.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
    }
    if (why != CUDA_SUCCESS) return nullptr;
    auto* const made = new (std::nothrow) StandIn{&domain, domain.life, nullptr, nullptr};
    const host::UndisturbedLock lock(registry());
    if (made != nullptr) made->record = add_record(stream, domain);
    if (made != nullptr && made->record != nullptr) {
        made->record->stand_in = true;
        return made;
    }
    why = CUDA_ERROR_OUT_OF_MEMORY;
    real.cuStreamDestroy_v2(stream);
    delete made;
    return nullptr;
}

}  // namespace

Record* own_stream(Domain& domain, CUresult& why) {
    Thread& thread = this_thread();
    if (const StandIn* const known = of_this_thread(thread, domain)) return known->record;
    if (!is_listed(thread)) {
        why = CUDA_ERROR_OUT_OF_MEMORY;
        return nullptr;
    }
    wake();
    StandIn* own = take_idle(domain);
    if (own == nullptr) own = make(domain, why);
    if (own == nullptr) return nullptr;
    own->next = thread.stand_ins;
    thread.stand_ins = own;
    return own->record;
}

// In a child that has not begun, the parent may have left the registry locked.
void give_back(Thread& thread) {
    if (thread.stand_ins == nullptr || !is_own_process()) {
        thread.stand_ins = nullptr;
        return;
    }
    const host::UndisturbedLock lock(registry());
    while (StandIn* const each = thread.stand_ins) {
        thread.stand_ins = each->next;
        if (each->life != each->domain->life) {
            delete each;
            continue;
        }
        each->next = each->domain->idle;
        each->domain->idle = each;
    }
}

void forget_idle(Domain& domain) {
    while (StandIn* const each = domain.idle) {
        domain.idle = each->next;
        delete each;
    }
}

}  // namespace ration::cuda::stream
