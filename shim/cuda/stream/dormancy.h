// Whether there is anything to do at all. In most programs there never is: no blocking stream, and
// nobody who uses the per-thread default stream.
#pragma once

#include <atomic>
#include <cstdint>

namespace ration::cuda::stream {

enum Awake : std::uint32_t {
    kBlocking = 1,  // a blocking stream was made in a home
    kUnfenced = 2,  // the kernel has no membarrier: every call takes the long way from the start
};
inline std::atomic<std::uint32_t> awake{0};

inline bool dormant() { return awake.load(std::memory_order_relaxed) == 0; }

// Before any call, in each process.
void ask_kernel();

// In a forked child: no blocking stream was made, whoever was about to.
void renew_dormancy();

// A blocking stream is about to be used. When this returns, each call of another thread either has
// seen kBlocking, or has enqueued what it had to.
void wake();

}  // namespace ration::cuda::stream
