// Making a file that others may open the moment it has its name.
#pragma once

#include <sys/types.h>

#include "shim/host/descriptor.h"

namespace ration::state {

// Makes `name` in the folder `directory` with this mode, whatever the umask is; `fill` writes to it
// before anybody can see it. One that is there already is as good. False, with the reason in errno.
// Never by O_CREAT under its own name: in a sticky folder that fails for a file of somebody else
// (fs.protected_regular, proc_sys_fs(5)).
bool make_file(int directory, const char* name, mode_t mode, bool (*fill)(int fd));

// Programs and shells use the low numbers, and a parent may have chosen one for its child to find.
// Above 200 where the limit of open files allows; nothing if no number above 2 is free.
host::Descriptor move_high(host::Descriptor low);

}  // namespace ration::state
