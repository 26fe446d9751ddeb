#include "shim/host/generation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18  // linux/mman.h: older C libraries do not name it
#endif

namespace ration::host {
namespace {

using Number = std::atomic<std::uint32_t>;

constexpr std::size_t kSize = sizeof(Number);  // the kernel rounds up to a page

Number no_page{0};  // what is pointed to where the kernel wipes none
Number highest{0};  // inherited, so that a child never takes a number of its ancestors
std::atomic<std::uint64_t> by_process_id{0};  // the id, and in the lower half its number

// Whether the kernel means what it answers: an emulator may take any advice, wanting none
// (qemu-user 7.2 does).
bool refuses_nonsense(void* made) {
    constexpr int kNoAdvice = 0x7fff;
    return madvise(made, kSize, kNoAdvice) != 0;
}

Number* wiped_page() {
    void* const made =
        mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return &no_page;
    if (madvise(made, kSize, MADV_WIPEONFORK) == 0 && refuses_nonsense(made)) {
        return static_cast<Number*>(made);
    }
    munmap(made, kSize);
    return &no_page;
}

Number* the_page() {
    Number* known = generation_page.load(std::memory_order_acquire);
    if (known != nullptr) return known;
    Number* const made = wiped_page();
    if (generation_page.compare_exchange_strong(known, made)) return made;
    if (made != &no_page) munmap(made, kSize);
    return known;
}

std::uint32_t number_by_process_id() {
    const auto self = static_cast<std::uint64_t>(getpid()) << 32;
    std::uint64_t seen = by_process_id.load(std::memory_order_acquire);
    while (seen >> 32 != self >> 32) {
        const std::uint64_t next = self | static_cast<std::uint32_t>(seen + 1);
        if (by_process_id.compare_exchange_weak(seen, next))
            return static_cast<std::uint32_t>(next);
    }
    return static_cast<std::uint32_t>(seen);
}

}  // namespace

std::uint32_t find_generation() {
    Number* const here = the_page();
    if (here == &no_page) return number_by_process_id();
    std::uint32_t number = here->load(std::memory_order_acquire);
    if (number != 0) return number;
    const std::uint32_t next = highest.fetch_add(1) + 1;
    return here->compare_exchange_strong(number, next) ? next : number;
}

}  // namespace ration::host
