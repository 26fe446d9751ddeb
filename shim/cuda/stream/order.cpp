#include "shim/cuda/stream/order.h"

#include <algorithm>

#include "shim/cuda/stream/capture.h"
#include "shim/cuda/stream/stand_in.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::cuda::stream {
namespace {

// One at a time, with the same patience as the order itself: the driver may wait for the device.
class Recording {
  public:
    explicit Recording(Domain& domain) : lock_(domain.recording), held_(lock_.take()) {}
    ~Recording() { lock_.release(held_); }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

  private:
    OrderLock& lock_;
    const OrderLock::Held held_;
};

// Marks where the NULL stream is after its latest operation. Once for each, by whoever needs it
// first; with the order shared or taken, so that no operation comes in between.
CUresult record_null(Domain& domain) {
    const Recording recording(domain);
    const std::uint64_t latest = domain.sequence.load(std::memory_order_relaxed);
    if (domain.recorded == latest) return CUDA_SUCCESS;
    CUresult result = need_event(domain, domain.event);
    if (result != CUDA_SUCCESS) return result;
    const InHome in_home(domain);
    result = real.cuEventRecord(domain.event, nullptr);
    if (result == CUDA_SUCCESS) domain.recorded = latest;
    return result;
}

CUresult follow_null(Record& record) {
    Domain& domain = *record.domain;
    const std::uint64_t latest = domain.sequence.load(std::memory_order_relaxed);
    if (record.seen.load(std::memory_order_relaxed) == latest) return CUDA_SUCCESS;
    CUresult result = record_null(domain);
    if (result == CUDA_SUCCESS) {
        result = real.cuStreamWaitEvent(record.stream, domain.event, CU_EVENT_WAIT_DEFAULT);
    }
    if (result == CUDA_SUCCESS) record.seen.store(latest, std::memory_order_relaxed);
    return result;
}

void put_on_list(Record& record) {
    std::atomic<Record*>& list = record.domain->dirty;
    record.next_dirty = list.load(std::memory_order_relaxed);
    while (!list.compare_exchange_weak(record.next_dirty, &record)) {
    }
}

void mark_dirty(Record& record) {
    if (record.dirty.load(std::memory_order_relaxed) || record.dirty.exchange(true)) return;
    put_on_list(record);
}

void end_record(Record& record) {
    const host::UndisturbedLock lock(registry());
    Record** link = &record.domain->records;
    while (*link != nullptr && *link != &record) link = &(*link)->next_in_domain;
    if (*link != nullptr) *link = record.next_in_domain;
    free_record(record);
}

// Of a stream that is gone: whether its event, if it has left one, is behind it.
bool has_finished(const Record& record) {
    return record.event == nullptr || real.cuEventQuery(record.event) != CUDA_ERROR_NOT_READY;
}

// With the order taken. A program that never uses the NULL stream joins nothing: what destroyed
// streams have left is dropped each time that twice as much is there as had to stay before.
void drop_finished(Domain& domain) {
    constexpr unsigned kFew = 16;
    if (++domain.gone <= std::max(kFew, domain.most_gone.load())) return;
    unsigned left = 0;
    const Relaxed relaxed;
    Record* next = domain.dirty.exchange(nullptr);
    while (Record* const record = next) {
        next = record->next_dirty;
        const bool gone = record->stream == nullptr;
        if (gone && has_finished(*record)) {
            record->dirty.store(false);
            end_record(*record);
        } else {
            left += gone;
            put_on_list(*record);
        }
    }
    domain.gone = left;
    domain.most_gone = 2 * left;
}

// The NULL stream waits for what the record's stream has to do. A stream that is gone has left its
// event behind, or nothing.
CUresult wait_for(Record& record) {
    const CUstream stream = record.stream;
    CUresult result = CUDA_SUCCESS;
    if (stream == nullptr && record.event == nullptr) return result;
    if (stream != nullptr) result = note_work(record, stream);
    if (result == CUDA_SUCCESS) {
        result = real.cuStreamWaitEvent(nullptr, record.event, CU_EVENT_WAIT_DEFAULT);
    }
    return result;
}

// With the order taken and the domain's home current. Where a stream is dirty, somebody has
// recorded the NULL stream's latest operation: who follows that does not wait for what is joined
// here. A stream that the driver does not know any more was destroyed behind our back: there is
// nothing to wait for.
CUresult join_dirty(Domain& domain) {
    if (domain.dirty.load() == nullptr) return CUDA_SUCCESS;
    CUresult result = CUDA_SUCCESS;
    domain.gone = 0;
    Record* next = domain.dirty.exchange(nullptr);
    while (Record* const record = next) {
        next = record->next_dirty;
        record->dirty.store(false);
        const CUresult waited = wait_for(*record);
        if (waited != CUDA_SUCCESS && waited != CUDA_ERROR_INVALID_HANDLE) {
            result = waited;
            mark_dirty(*record);
        } else if (record->stream == nullptr) {
            end_record(*record);
        }
    }
    return result;
}

Named null_or_other(CUstream handle) {
    Domain* const domain = current_domain();
    return {domain != nullptr ? Named::What::kNull : Named::What::kOther, handle, domain};
}

Named own(CUstream handle) {
    Domain* const domain = current_domain();
    if (domain == nullptr) return {Named::What::kOther, handle};
    Named named{Named::What::kBlocking, nullptr, domain};
    named.record = own_stream(*domain, named.code);
    if (named.record != nullptr) named.stream = named.record->stream;
    return named;
}

}  // namespace

CUresult note_work(Record& record, CUstream stream) {
    const CUresult result = need_event(*record.domain, record.event);
    return result == CUDA_SUCCESS ? real.cuEventRecord(record.event, stream) : result;
}

Named resolve(CUstream handle, bool own_default) {
    if (names_own(handle, own_default)) return own(handle);
    if (handle == nullptr || handle == CU_STREAM_LEGACY) return null_or_other(handle);
    Record* const record = find_record(handle);
    if (record == nullptr) return {Named::What::kOther, handle};
    return {Named::What::kBlocking, handle, record->domain, record};
}

Ordered::Ordered(const Named& named) : named_(named), refusal_(named.code) {
    if (refusal_ != CUDA_SUCCESS || named_.what == Named::What::kOther) return;
    Domain& domain = *named_.domain;
    if (named_.what == Named::What::kNull) {
        held_ = domain.order.take();
        refusal_ = use_legacy(domain);
        if (refusal_ == CUDA_SUCCESS) refusal_ = join_dirty(domain);
    } else {
        held_ = domain.order.share();
        captured_ = is_capturing(named_.stream);
        if (!captured_) refusal_ = follow_null(*named_.record);
    }
    failed_ = refusal_ != CUDA_SUCCESS;
}

Ordered::~Ordered() {
    if (named_.what == Named::What::kOther || named_.domain == nullptr) return;
    OrderLock& order = named_.domain->order;
    if (named_.what == Named::What::kNull) {
        // Not alone, if this has been given up on.
        if (!failed_) named_.domain->sequence.fetch_add(1, std::memory_order_relaxed);
        order.release(held_);
    } else {
        if (!failed_ && !captured_ && named_.record != nullptr) mark_dirty(*named_.record);
        order.unshare(held_);
    }
}

CUresult join_null(Domain& domain) {
    const OrderLock::Held held = domain.order.take();
    CUresult result = use_legacy(domain);
    if (result == CUDA_SUCCESS) result = join_dirty(domain);
    domain.order.release(held);
    return result;
}

Leaving::Leaving(const Named& named) : named_(named) {
    if (named_.what != Named::What::kBlocking) return;
    held_ = named_.domain->order.take();
    Record& record = *named_.record;
    if (!record.dirty.load() || is_capturing(named_.stream)) return;
    const Relaxed relaxed;
    idle_ = real.cuStreamQuery(named_.stream) == CUDA_SUCCESS;
    if (idle_) return;
    note_work(record, named_.stream);
}

void Leaving::destroyed(CUresult result) {
    if (named_.what != Named::What::kBlocking || result != CUDA_SUCCESS) return;
    Record& record = *named_.record;
    if (!record.dirty.load()) return end_record(record);
    if (idle_) drop_event(record);
    hide_record(record);
    drop_finished(*named_.domain);
}

Leaving::~Leaving() {
    if (held_ != 0) named_.domain->order.release(held_);
}

}  // namespace ration::cuda::stream
