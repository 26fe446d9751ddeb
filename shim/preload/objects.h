// The objects that the loader has mapped into this process, read without calling the dl* family.
//
// Why not dlopen, dlsym and dladdr: before glibc 2.34 they live in libdl, which a program need not
// have; they report errors through dlerror, which belongs to the program; and the front must find
// the dlsym that it interposes in the first place.
#pragma once

#include <link.h>
#include <stdint.h>

#include "shim/preload/hooks.h"

namespace ration::objects {

// First definition of a function `name` in the objects that follow libration.so in load order: what
// dlsym(RTLD_NEXT) answers for objects that were loaded at start. Null if there is none.
void* next_definition(const char* name);

// Definition of `name` in the object whose text contains `address`, which somebody must be using.
// Null if it has none.
void* definition_beside(const void* address, const char* name);

// Definition of `name` in a library, wherever it was loaded: in a plugin's own scope
// (RTLD_LOCAL) too. Null if the library is not loaded or has no such symbol. Where a process has
// two of them (two ROCm installations), the first.
void* definition_in(Library library, const char* name);

// Where a library's own tables lie, as ElfObject wants it. False if it is not loaded.
bool place_of(Library library, ElfW(Addr) & base, const ElfW(Dyn) * &dynamic);

// First definition of `name` behind libration.so in an object that was loaded at start, else that
// of the library: what the program's call would have reached, had it been linked. Null if there is
// none.
void* definition_behind_us(Library library, const char* name);

// The same for many names in one walk along the objects, of which a process may have hundreds.
struct Search {
    const char* name;
    void* found = nullptr;

    uint32_t hash = 0;
    bool is_behind_us = false;  // else it is the library's
};
void definitions_behind_us(Library library, Search* searches, unsigned count);

// First definition of `name` in any object but libration.so, wherever it was loaded. Null if there
// is none.
void* other_definition(const char* name);

// Whether `address` lies in an object that was loaded when the program started, and hence never
// goes: the program, what is preloaded, and what they need.
bool loaded_at_start(const void* address);

bool is_loaded(Library library);

// True if `address` lies in such a library; somebody must be using it.
bool is_in(Library library, const void* address);

// Writes the SONAME of the library that is loaded. False if there is none or it does not fit.
bool soname_of(Library library, char* soname, unsigned long capacity);

// Writes the path of `file` in libration.so's own folder. False if the folder cannot be found or
// the path does not fit. Absolute even where LD_PRELOAD named a relative path.
bool beside_us(const char* file, char* path, unsigned long capacity);

}  // namespace ration::objects
