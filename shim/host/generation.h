// Which process this is, told apart from all that it was forked from.
#pragma once

#include <cstdint>

namespace ration::host {

// Differs from the number of every process that this one descends from by fork, and never changes
// in a process; never 0. Process ids do not have that: a child in a PID namespace of its own may
// have its parent's. Kept in a page that the kernel wipes in a child (MADV_WIPEONFORK, Linux 4.14);
// an older kernel, or an emulator of one, makes it follow the process id. A load, once the page is
// there. Any thread.
std::uint32_t generation();

}  // namespace ration::host
