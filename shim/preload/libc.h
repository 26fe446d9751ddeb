// The dl* family as it would be without us.
//
// None of these may be referenced by name: on Debian 12 that would bind to GLIBC_2.34, and before
// glibc 2.34 they live in libdl.so.2, which not every program has.
#pragma once

namespace ration::libc {

using Dlsym = void* (*)(void* handle, const char* name);

// The next dlsym after ours: libc's, or another preloaded library's. Null only in a program that
// has no libdl at all. No lock and no allocation after the first call.
Dlsym real_dlsym();

// dlsym(RTLD_NEXT, name) as seen from this library. May leave an error for dlerror.
void* next_in_scope(const char* name);

// Takes back the error that a failed call of ours left for dlerror.
void clear_error();

// dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE). Null and `why` set if it fails.
void* open(const char* file, const char** why);

// Keeps a loaded library from being unloaded. False if it is not loaded.
bool pin(const char* soname);

// One line on stderr with our prefix, in one write(2).
void say(const char* text);

}  // namespace ration::libc
