#include "shim/preload/elf_object.h"

#include "shim/preload/text.h"

namespace ration::objects {

uint32_t ElfObject::hash_of(const char* name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

ElfObject::ElfObject(ElfW(Addr) base, const ElfW(Dyn) * dynamic) : base_(base), dynamic_(dynamic) {
    if (dynamic != nullptr) read(dynamic);
}

const char* ElfObject::soname() const {
    return strings_ != nullptr && soname_ != 0 ? strings_ + soname_ : "";
}

void* ElfObject::function(const char* name, uint32_t hash) const {
    if (symbols_ == nullptr || strings_ == nullptr || gnu_hash_ == nullptr) return nullptr;
    return lookup(name, hash);
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
// native words with two bits for each hash, buckets, one hash per symbol whose lowest bit ends a
// chain.
void* ElfObject::lookup(const char* name, uint32_t hash) const {
    const auto [bucket_count, first, bloom_words, shift] =
        *reinterpret_cast<const uint32_t(*)[4]>(gnu_hash_);
    if (bucket_count == 0 || bloom_words == 0) return nullptr;
    constexpr uint32_t kBits = sizeof(ElfW(Addr)) * 8;
    const auto* const bloom = reinterpret_cast<const ElfW(Addr)*>(gnu_hash_ + 4);
    const ElfW(Addr) word = bloom[hash / kBits % bloom_words];
    if ((word >> hash % kBits & word >> (hash >> shift) % kBits & 1) == 0) return nullptr;
    const auto* const buckets = reinterpret_cast<const uint32_t*>(bloom + bloom_words);
    const uint32_t* const chain = buckets + bucket_count;
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
