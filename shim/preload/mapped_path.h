// Which file is mapped where, as the kernel tells it.
#pragma once

#include <stddef.h>

namespace ration::objects {

// Writes the path that is mapped at `address`: absolute, and of the file itself where its name is a
// link. False if there is none, /proc is not mounted, or it does not fit. Allocates nothing.
bool mapped_path(const void* address, char* path, size_t capacity);

}  // namespace ration::objects
