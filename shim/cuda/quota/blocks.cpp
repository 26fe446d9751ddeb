#include "shim/cuda/quota/blocks.h"

#include <sys/mman.h>

#include <memory>
#include <new>

namespace ration::cuda::quota {

Blocks::Blocks(std::size_t buckets) : mask_(buckets - 1), buckets_(empty_buckets(buckets)) {}

Blocks::Bucket* Blocks::empty_buckets(std::size_t count) {
    void* const made = mmap(nullptr, count * sizeof(Bucket), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) throw std::bad_alloc();
    return static_cast<Bucket*>(made);
}

Blocks::~Blocks() {
    for (std::size_t i = 0; i <= mask_; ++i) {
        for (Bucket* bucket = buckets_[i].next; bucket != nullptr;) {
            Bucket* const next = bucket->next;
            delete bucket;
            bucket = next;
        }
    }
    munmap(buckets_, (mask_ + 1) * sizeof(Bucket));
}

// Addresses differ in their middle bits: a product by a large odd number spreads them upwards.
Blocks::Bucket& Blocks::home(std::uint64_t key) const {
    constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
    constexpr unsigned kShift = 40;
    return buckets_[(key * kFactor >> kShift) & mask_];
}

bool Blocks::Bucket::put(std::uint64_t key, Note note) {
    for (std::size_t place = 0; place < kPlaces; ++place) {
        std::uint64_t found = keys[place].load(std::memory_order_relaxed);
        if (found != kEmpty ||
            !keys[place].compare_exchange_strong(found, kBusy, std::memory_order_acquire)) {
            continue;
        }
        notes[place].store(std::bit_cast<std::uint64_t>(note), std::memory_order_relaxed);
        keys[place].store(key, std::memory_order_release);
        return true;
    }
    return false;
}

Blocks::Bucket* Blocks::append(Bucket& last) {
    std::unique_ptr<Bucket> fresh(new (std::nothrow) Bucket);
    Bucket* next = nullptr;
    if (!last.next.compare_exchange_strong(next, fresh.get(), std::memory_order_acq_rel)) {
        return next;
    }
    return fresh.release();
}

std::optional<Note> Blocks::insert(std::uint64_t key, Note note) {
    if (is_nobodys(key)) return std::nullopt;
    auto before = extract(key);
    for (Bucket* bucket = &home(key); bucket != nullptr;) {
        if (bucket->put(key, note)) break;
        Bucket* const next = bucket->next.load(std::memory_order_acquire);
        bucket = next != nullptr ? next : append(*bucket);
    }
    return before;
}

std::optional<Note> Blocks::extract(std::uint64_t key) {
    if (is_nobodys(key)) return std::nullopt;
    for (Bucket* bucket = &home(key); bucket != nullptr;
         bucket = bucket->next.load(std::memory_order_acquire)) {
        for (std::size_t place = 0; place < kPlaces; ++place) {
            std::uint64_t found = bucket->keys[place].load(std::memory_order_relaxed);
            if (found != key || !bucket->keys[place].compare_exchange_strong(
                                    found, kBusy, std::memory_order_acquire)) {
                continue;
            }
            const Note note = bucket->note(place);
            bucket->keys[place].store(kEmpty, std::memory_order_release);
            return note;
        }
    }
    return std::nullopt;
}

bool Blocks::contains(std::uint64_t key) const {
    if (is_nobodys(key)) return false;
    for (const Bucket* bucket = &home(key); bucket != nullptr;
         bucket = bucket->next.load(std::memory_order_acquire)) {
        for (const auto& each : bucket->keys) {
            if (each.load(std::memory_order_acquire) == key) return true;
        }
    }
    return false;
}

}  // namespace ration::cuda::quota
