// What is counted of each allocation, by its address or handle.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "shim/cuda/quota/charge.h"

namespace ration::cuda::quota {

// One word, so that it is written and read at once.
struct Note {
    std::uint64_t units : 40;  // of kUnit bytes
    std::uint64_t device : 8;
    std::uint64_t is_pooled : 1;
    std::uint64_t number : 15;  // of Pools where it is pooled, else of Owners

    unsigned owner() const { return is_pooled != 0 ? 0 : static_cast<unsigned>(number); }
    unsigned pool() const { return is_pooled != 0 ? static_cast<unsigned>(number) : 0; }
    std::uint64_t bytes() const { return units * kUnit; }
    friend bool operator==(Note one, Note other) {
        return std::bit_cast<std::uint64_t>(one) == std::bit_cast<std::uint64_t>(other);
    }
};
static_assert(sizeof(Note) == sizeof(std::uint64_t));

// A hash table without locks: a thread that is stopped anywhere in it keeps nobody waiting, and
// loses one place at most. Buckets of a cache line of keys; where one is full another is appended,
// and stays. An allocation and its free come one after the other, so two threads never mean the
// same key, unless the program frees something twice: then one of them finds it.
class Blocks {
  public:
    // `buckets`: a power of two.
    explicit Blocks(std::size_t buckets);
    ~Blocks();
    Blocks(const Blocks&) = delete;
    Blocks& operator=(const Blocks&) = delete;

    // The keys 0 and 1 are nobody's: nothing is kept or found under them, since a program may free
    // the address 0 (cuda.h: cuMemFree does nothing then). Returns the note that stood under the
    // key before: of memory that was freed past us. Where there is no memory for a bucket the note
    // is lost, and what it counts stays charged.
    std::optional<Note> insert(std::uint64_t key, Note note);

    std::optional<Note> extract(std::uint64_t key);

    bool contains(std::uint64_t key) const;

    // Takes out the notes that `ended` says so of, and hands each to `take`.
    template <class Ended, class Take>
    void sweep(Ended ended, Take take) {
        for (std::size_t i = 0; i <= mask_; ++i) {
            for (Bucket* bucket = &buckets_[i]; bucket != nullptr; bucket = bucket->next) {
                for (std::size_t place = 0; place < kPlaces; ++place) {
                    if (const auto note = bucket->extract_if(place, ended)) take(*note);
                }
            }
        }
    }

  private:
    static constexpr std::size_t kPlaces = 8;
    static constexpr std::uint64_t kEmpty = 0;
    static constexpr std::uint64_t kBusy = 1;  // its note is being written or read
    static bool is_nobodys(std::uint64_t key) { return key <= kBusy; }

    struct alignas(64) Bucket {
        std::atomic<std::uint64_t> keys[kPlaces]{};
        std::atomic<std::uint64_t> notes[kPlaces]{};
        std::atomic<Bucket*> next{nullptr};

        bool put(std::uint64_t key, Note note);
        Note note(std::size_t place) const {
            return std::bit_cast<Note>(notes[place].load(std::memory_order_relaxed));
        }
        template <class Ended>
        std::optional<Note> extract_if(std::size_t place, Ended ended) {
            std::uint64_t key = keys[place].load(std::memory_order_acquire);
            if (is_nobodys(key) || !ended(note(place))) return std::nullopt;
            if (!keys[place].compare_exchange_strong(key, kBusy, std::memory_order_acquire)) {
                return std::nullopt;
            }
            // It may have been freed and allocated anew in between.
            const Note found = note(place);
            const bool take = ended(found);
            keys[place].store(take ? kEmpty : key, std::memory_order_release);
            return take ? std::optional(found) : std::nullopt;
        }
    };

    // Pages of the kernel's, all zeros as empty buckets are, which are not there until they are
    // used: to write them took 0.9 ms of a program's first call and 1.5 MB (measured).
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
                  std::is_trivially_destructible_v<Bucket>);
    static Bucket* empty_buckets(std::size_t count);
    Bucket& home(std::uint64_t key) const;
    Bucket* append(Bucket& last);

    const std::size_t mask_;
    Bucket* const buckets_;
};

}  // namespace ration::cuda::quota
