#include "shim/preload/elf_object.h"

#include "shim/preload/text.h"

namespace ration::objects {
namespace {

uint32_t gnu_hash(const char* name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

}  // namespace

ElfObject::ElfObject(ElfW(Addr) base, const ElfW(Dyn) * dynamic) : base_(base), dynamic_(dynamic) {
    if (dynamic != nullptr) read(dynamic);
}

const char* ElfObject::soname() const {
    return strings_ != nullptr && soname_ != 0 ? strings_ + soname_ : "";
}

void* ElfObject::function(const char* name) const {
    if (symbols_ == nullptr || strings_ == nullptr || gnu_hash_ == nullptr) return nullptr;
    return lookup(name, gnu_hash(name));
}

// glibc relocates these pointers in place when it maps an object, but not those of the vDSO.
template <class T>
const T* ElfObject::pointer(ElfW(Addr) value) const {
    if (value < base_) value += base_;
    return reinterpret_cast<const T*>(value);
}

void ElfObject::read(const ElfW(Dyn) * entry) {
    for (; entry->d_tag != DT_NULL; ++entry) {
        switch (entry->d_tag) {
            case DT_SYMTAB:
                symbols_ = pointer<ElfW(Sym)>(entry->d_un.d_ptr);
                break;
            case DT_STRTAB:
                strings_ = pointer<char>(entry->d_un.d_ptr);
                break;
            case DT_GNU_HASH:
                gnu_hash_ = pointer<uint32_t>(entry->d_un.d_ptr);
                break;
            case DT_VERSYM:
                versions_ = pointer<uint16_t>(entry->d_un.d_ptr);
                break;
            case DT_SONAME:
                soname_ = entry->d_un.d_val;
                break;
            default:
                break;
        }
    }
}

// The table's layout: header {buckets, first symbol, bloom words, bloom shift}, bloom filter of
// native words, buckets, one hash per symbol whose lowest bit ends a chain. (The filter only
// speeds up misses; a walk happens a few times in a process's life.)
void* ElfObject::lookup(const char* name, uint32_t hash) const {
    const uint32_t bucket_count = gnu_hash_[0];
    const uint32_t first = gnu_hash_[1];
    const uint32_t* const buckets =
        gnu_hash_ + 4 + gnu_hash_[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t* const chain = buckets + bucket_count;
    if (bucket_count == 0) return nullptr;
    void* hidden = nullptr;
    uint32_t index = buckets[hash % bucket_count];
    if (index < first) return nullptr;
    for (;; ++index) {
        const uint32_t entry = chain[index - first];
        if ((entry | 1) == (hash | 1) && is_function(symbols_[index], name)) {
            void* const address = reinterpret_cast<void*>(base_ + symbols_[index].st_value);
            const bool is_hidden = versions_ != nullptr && (versions_[index] & 0x8000) != 0;
            if (!is_hidden) return address;
            hidden = address;
        }
        if ((entry & 1) != 0) return hidden;
    }
}

bool ElfObject::is_function(const ElfW(Sym) & symbol, const char* name) const {
    return symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
           text::equal(strings_ + symbol.st_name, name);
}

}  // namespace ration::objects
