// Which process this is, told apart from all that it was forked from.
#pragma once

#include <atomic>
#include <cstdint>

namespace ration::host {

// The number of this process, once somebody has asked: 0 in a child until somebody asks there, and
// always where the kernel wipes no page.
inline std::atomic<std::atomic<std::uint32_t>*> generation_page{nullptr};

// What is not known yet, or not kept there.
std::uint32_t find_generation();

// Differs from the number of every process that this one descends from by fork, and never changes
// in a process; never 0. Process ids do not have that: a child in a PID namespace of its own may
// have its parent's. Kept in a page that the kernel wipes in a child (MADV_WIPEONFORK, Linux 4.14);
// an older kernel, or an emulator of one, makes it follow the process id. Two loads, once the page
// is there. Any thread.
inline std::uint32_t generation() {
    const std::atomic<std::uint32_t>* const here = generation_page.load(std::memory_order_acquire);
    const std::uint32_t known = here == nullptr ? 0 : here->load(std::memory_order_acquire);
    return known != 0 ? known : find_generation();
}

}  // namespace ration::host
