#include "shim/cuda/stream/record.h"

#include <new>

#include "shim/cuda/stream/domain.h"

namespace ration::cuda::stream {
namespace {

constexpr unsigned kBucketBits = 10;

// Records stay in the list that they were made for, so that whoever walks along one is never led
// into another.
std::atomic<Record*> buckets[1U << kBucketBits];

std::atomic<Record*>& bucket_of(CUstream handle) {
    constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
    const auto number = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(handle));
    return buckets[number * kGolden >> (64 - kBucketBits)];
}

Record* unused_record(std::atomic<Record*>& bucket) {
    for (Record* each = bucket.load(); each != nullptr; each = each->next_in_bucket.load()) {
        if (!each->taken) return each;
    }
    auto* const made = new (std::nothrow) Record;
    if (made == nullptr) return nullptr;
    made->next_in_bucket.store(bucket.load(std::memory_order_relaxed));
    bucket.store(made, std::memory_order_release);
    return made;
}

}  // namespace

std::mutex& registry() {
    static constinit std::mutex mutex;
    return mutex;
}

void renew_records() {
    for (std::atomic<Record*>& bucket : buckets) bucket = nullptr;
    new (&registry()) std::mutex;
}

Record* find_record(CUstream handle) {
    Record* each = bucket_of(handle).load(std::memory_order_acquire);
    while (each != nullptr && each->stream.load(std::memory_order_acquire) != handle) {
        each = each->next_in_bucket.load(std::memory_order_acquire);
    }
    return each;
}

Record* add_record(CUstream stream, Domain& domain) {
    // A stream that was destroyed behind our back, if its handle comes again.
    if (Record* const former = find_record(stream)) hide_record(*former);
    Record* const record = unused_record(bucket_of(stream));
    if (record == nullptr) return nullptr;
    record->taken = true;
    record->domain = &domain;
    record->stand_in = false;
    record->seen.store(0, std::memory_order_relaxed);
    record->next_in_domain = domain.records;
    domain.records = record;
    record->stream.store(stream, std::memory_order_release);
    return record;
}

void hide_record(Record& record) { record.stream.store(nullptr, std::memory_order_release); }

void drop_event(Record& record) {
    if (record.event != nullptr) real.cuEventDestroy_v2(record.event);
    record.event = nullptr;
}

void free_record(Record& record) {
    hide_record(record);
    drop_event(record);
    record.taken = false;
}

}  // namespace ration::cuda::stream
