// What stands in a slot when neither a library nor the engine does. These functions take whatever
// they are called with, since they look at none of it.
#pragma once

#include "shim/preload/hooks.h"

namespace ration::front {

// What calls of a library's functions answer where the library is not there (a weak reference
// became true by our presence), and where it is older than the function (a linked program would not
// have started).
int no_library_code(Library library);
int not_in_library_code(Library library);

void* no_library(Library library);
void* not_in_library(Library library);

// Where the engine refused, or could not be loaded although there is a policy. The code is that of
// refusal(); HSA has none for that, but "no resources" is what makes those above it say that there
// is no device.
void* refused(Library library);

// The code with which the calls of a vendor's library fail if the engine refused.
int refusal(Vendor vendor);

// What the slot of `hook` is to hold where calls go to `function`, the library's own. That very
// function, nearly everywhere; but a library's initialisation stays ours until it has succeeded: a
// child that is forked before that decides for itself, by its own environment, at its own first
// call.
void* until_it_succeeds(Hook hook, void* function);

}  // namespace ration::front
