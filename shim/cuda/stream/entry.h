// The rows of streams.def as types.
#pragma once

#include <string_view>

#include "shim/cuda/stream/real.h"

namespace ration::cuda::stream {

// One for each row, in its order: Entry::cuLaunchKernel.
enum class Entry : unsigned {
#define CUDA_STREAM(symbol, family, kind) symbol,
#include "shim/cuda/stream/streams.def"
    kEnd
};
inline constexpr unsigned kEntries = static_cast<unsigned>(Entry::kEnd);

// What is done for a row; README.md says what each means.
enum class Kind {
    create,
    destroy,
    flags,
    ask,
    context,
    wait,
    wait_event,
    callback,
    capture_begin,
    capture_end,
    capture_state,
    launch,
    ask_launch,
    launch_many,
    upload,
    legacy,
    enqueue,
    implicit,
};

template <Entry entry>
struct Row;

#define CUDA_STREAM(symbol_, family_, kind_)                 \
    template <>                                              \
    struct Row<Entry::symbol_> {                             \
        using Function = decltype(&::symbol_);               \
        static constexpr std::string_view symbol = #symbol_; \
        static constexpr std::string_view family = #family_; \
        static constexpr Kind kind = Kind::kind_;            \
        static Function driver() { return real.symbol_; }    \
    };
#include "shim/cuda/stream/streams.def"

// Whether stream 0 of the entry point, or its implicit stream, is the thread's own default stream.
template <Entry entry>
inline constexpr bool kOwnDefault =
    Row<entry>::symbol.ends_with("_ptsz") || Row<entry>::symbol.ends_with("_ptds");

inline constexpr std::string_view kSymbols[] = {
#define CUDA_STREAM(symbol, family, kind) #symbol,
#include "shim/cuda/stream/streams.def"
};

// Entry::kEnd if there is no such row.
constexpr Entry entry_named(std::string_view symbol) {
    unsigned found = 0;
    while (found < kEntries && kSymbols[found] != symbol) ++found;
    return static_cast<Entry>(found);
}

}  // namespace ration::cuda::stream
