// Users and groups of whom a user namespace does not know.
#pragma once

#include <sys/types.h>

namespace ration::host {

// Whether this is what a user namespace shows of an owner whom it does not map: of root, in a
// container that an ordinary user started, for whatever comes from outside (user_namespaces(7)).
// False outside of namespaces.
bool is_unmapped_user(uid_t user);
bool is_unmapped_group(gid_t group);

}  // namespace ration::host
