// A loaded object's own tables, as far as a look-up by name needs them (elf(5), and the layout of
// .gnu.hash as the GNU linker writes it).
#pragma once

#include <elf.h>
#include <link.h>
#include <stdint.h>

namespace ration::objects {

// A view: valid while the object stays loaded. Whatever it has no table for, it does not find.
class ElfObject {
  public:
    // `base` is what was added to its addresses when it was mapped. `dynamic` may be null.
    ElfObject(ElfW(Addr) base, const ElfW(Dyn) * dynamic);

    // "" if it has none.
    const char* soname() const;

    // The function that it defines under this name: the default version first, but a hidden one
    // (dlsym@GLIBC_2.2.5 on new systems) serves as well. Null if it defines none.
    void* function(const char* name) const { return function(name, hash_of(name)); }
    // The same with hash_of(name), for a name that many objects are asked for.
    void* function(const char* name, uint32_t hash) const;
    static uint32_t hash_of(const char* name);

    // Calls visit(name) for each entry of what the object needs.
    template <class Visit>
    void for_each_needed(Visit visit) const {
        if (dynamic_ == nullptr || strings_ == nullptr) return;
        for (const auto* entry = dynamic_; entry->d_tag != DT_NULL; ++entry) {
            if (entry->d_tag == DT_NEEDED) visit(strings_ + entry->d_un.d_val);
        }
    }

  private:
    template <class T>
    const T* pointer(ElfW(Addr) value) const;
    void read(const ElfW(Dyn) * entry);
    void* lookup(const char* name, uint32_t hash) const;
    bool is_function(const ElfW(Sym) & symbol, const char* name) const;

    ElfW(Addr) base_;
    const ElfW(Dyn) * dynamic_;
    const ElfW(Sym) * symbols_ = nullptr;
    const char* strings_ = nullptr;
    const uint32_t* gnu_hash_ = nullptr;
    const uint16_t* versions_ = nullptr;
    ElfW(Xword) soname_ = 0;
};

}  // namespace ration::objects
