// Memory of the program, by pointers that it handed to the kernel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ration::amd {

// Whether all of it can be read, or the kernel would answer EFAULT. Changes errno. A system call
// for each page. What another thread takes away afterwards nobody knows.
bool can_read(const void* from, std::size_t bytes);

}  // namespace ration::amd
