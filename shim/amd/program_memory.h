// Memory of the program, by pointers that it handed to the kernel.
#pragma once

#include <cstddef>

namespace ration::amd {

// Copies, or says that the kernel would answer EFAULT. Where the kernel offers no such check
// (a sandbox that forbids process_vm_readv(2)) a bad pointer is fatal.
bool copy_from_program(void* to, const void* from, std::size_t bytes);

// Whether all of it can be read.
bool can_read(const void* from, std::size_t bytes);

}  // namespace ration::amd
