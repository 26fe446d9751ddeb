// The loader's list of objects, in load order.
#pragma once

#include <link.h>

#include "shim/preload/elf_object.h"
#include "shim/preload/hooks.h"

namespace ration::objects {

// Whether an object of this SONAME is such a library. (The driver's own has one version; wheels
// call theirs libamdhip64-4f2c.so.6.)
bool is_soname_of(Library library, const char* soname);

// An object as dl_iterate_phdr(3) shows it; valid in the walk that shows it.
class Mapped {
  public:
    explicit Mapped(const dl_phdr_info& info) : info_(info) {}

    const char* name() const { return info_.dlpi_name; }
    void* function(const char* symbol) const { return object().function(symbol); }
    const char* soname() const { return object().soname(); }
    bool is(Library library) const { return is_soname_of(library, soname()); }
    bool is_ours() const { return contains(reinterpret_cast<const void*>(&is_soname_of)); }
    bool contains(const void* address) const;
    ElfW(Addr) base() const { return info_.dlpi_addr; }
    const ElfW(Dyn) * dynamic() const;  // null if it has none
    ElfObject object() const { return {base(), dynamic()}; }

  private:
    const dl_phdr_info& info_;
};

using Visit = bool (*)(const Mapped& object, void* data);

// Calls visit(object, data) for each object until it returns true. Meanwhile nothing is loaded or
// unloaded, nobody forks (unforked.h), and signals wait, since a handler that left by longjmp would
// leave the loader's lock behind. `visit` calls nothing that loads or forks.
void walk(Visit visit, void* data);

template <class Function>
void walk(Function function) {
    walk([](const Mapped& object, void* data) { return (*static_cast<Function*>(data))(object); },
         &function);
}

// Calls visit(const link_map&) for the objects up to libc until it returns true, and returns
// whether one did. No lock is taken: what stands before libc was loaded at start and is never
// unloaded. So this may be called at any time, in a signal handler and before libc is ready, and
// costs a program without a GPU nothing later.
template <class Function>
bool walk_up_to_libc(Function visit) {
    for (const link_map* map = _r_debug.r_map; map != nullptr; map = map->l_next) {
        if (visit(*map)) return true;
        if (is_soname_of(Library::LIBC, ElfObject(map->l_addr, map->l_ld).soname())) break;
    }
    return false;
}

// The object whose memory `address` lies in, which somebody must be using: it is not held. False if
// there is none. Takes no lock and does not depend on the number of objects where the loader can do
// that
// (_dl_find_object(3), glibc 2.35); else by a walk.
bool visit_object_at(const void* address, void (*visit)(const ElfObject& object, void* data),
                     void* data);

template <class Function>
bool visit_object_at(const void* address, Function function) {
    return visit_object_at(
        address,
        [](const ElfObject& object, void* data) { (*static_cast<Function*>(data))(object); },
        &function);
}

// A function of libc itself, whatever interposes it: a sanitizer's, say, which is not ready yet
// when the sanitizer calls dlsym.
void* libc_definition(const char* symbol);

}  // namespace ration::objects
