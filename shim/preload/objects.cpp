#include "shim/preload/objects.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "shim/preload/text.h"

namespace ration::objects {
namespace {

// What a library's SONAME begins with: behind it the name ends, or a version or a packager's mark
// follows. (The driver's own has one version; wheels call theirs libamdhip64-4f2c.so.6.)
constexpr const char* stem(Library library) {
    switch (library) {
        case Library::CUDA:
            return "libcuda.so.1";
        case Library::HIP:
            return "libamdhip64";
        case Library::HSA:
            return "libhsa-runtime64";
        case Library::LIBC:
            return "libc.so.6";
    }
    return "";
}

bool is_soname_of(Library library, const char* soname) {
    const char* expected = stem(library);
    while (*expected != '\0' && *expected == *soname) {
        ++expected;
        ++soname;
    }
    return *expected == '\0' && (*soname == '\0' || *soname == '.' || *soname == '-');
}

uint32_t gnu_hash(const char* name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

// An object's dynamic section, as far as a look-up by name needs it.
class Object {
  public:
    Object(ElfW(Addr) base, const ElfW(Dyn) * dynamic) : base_(base), dynamic_(dynamic) {
        if (dynamic != nullptr) read(dynamic);
    }

    const char* soname() const {
        return strings_ != nullptr && soname_ != 0 ? strings_ + soname_ : "";
    }

    // Default version first; a hidden one (dlsym@GLIBC_2.2.5 on new systems) serves as well.
    void* function(const char* name) const {
        if (symbols_ == nullptr || strings_ == nullptr || gnu_hash_ == nullptr) return nullptr;
        return lookup(name, gnu_hash(name));
    }

    // Calls visit(name) for each entry of what the object needs.
    template <class Visit>
    void for_each_needed(Visit visit) const {
        if (dynamic_ == nullptr || strings_ == nullptr) return;
        for (const auto* entry = dynamic_; entry->d_tag != DT_NULL; ++entry) {
            if (entry->d_tag == DT_NEEDED) visit(strings_ + entry->d_un.d_val);
        }
    }

  private:
    // glibc relocates these pointers in place when it maps an object, but not those of the vDSO.
    template <class T>
    const T* pointer(ElfW(Addr) value) const {
        if (value < base_) value += base_;
        return reinterpret_cast<const T*>(value);
    }

    void read(const ElfW(Dyn) * entry) {
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
    void* lookup(const char* name, uint32_t hash) const {
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

    bool is_function(const ElfW(Sym) & symbol, const char* name) const {
        return symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
               text::equal(strings_ + symbol.st_name, name);
    }

    ElfW(Addr) base_;
    const ElfW(Dyn) * dynamic_;
    const ElfW(Sym) * symbols_ = nullptr;
    const char* strings_ = nullptr;
    const uint32_t* gnu_hash_ = nullptr;
    const uint16_t* versions_ = nullptr;
    ElfW(Xword) soname_ = 0;
};

// An object as dl_iterate_phdr shows it.
class Mapped {
  public:
    explicit Mapped(const dl_phdr_info& info) : info_(info) {}

    const char* name() const { return info_.dlpi_name; }
    unsigned long long unloaded_so_far() const { return info_.dlpi_subs; }
    void* function(const char* symbol) const { return object().function(symbol); }
    const char* soname() const { return object().soname(); }
    bool is(Library library) const { return is_soname_of(library, soname()); }
    bool is_ours() const { return contains(reinterpret_cast<const void*>(&gnu_hash)); }

    bool contains(const void* address) const {
        const auto where = reinterpret_cast<ElfW(Addr)>(address);
        return find_segment([&](const ElfW(Phdr) & segment) {
                   const ElfW(Addr) begin = info_.dlpi_addr + segment.p_vaddr;
                   return segment.p_type == PT_LOAD && where >= begin &&
                          where < begin + segment.p_memsz;
               }) != nullptr;
    }

  private:
    template <class Condition>
        const ElfW(Phdr) * find_segment(Condition condition) const {
        for (int i = 0; i < info_.dlpi_phnum; ++i) {
            if (condition(info_.dlpi_phdr[i])) return &info_.dlpi_phdr[i];
        }
        return nullptr;
    }

    Object object() const {
        const auto* const dynamic =
            find_segment([](const ElfW(Phdr) & segment) { return segment.p_type == PT_DYNAMIC; });
        return {info_.dlpi_addr, dynamic == nullptr ? nullptr
                                                    : reinterpret_cast<const ElfW(Dyn)*>(
                                                          info_.dlpi_addr + dynamic->p_vaddr)};
    }

    const dl_phdr_info& info_;
};

// A function of libc itself, whatever interposes it: a sanitizer's dl_iterate_phdr, say, which is
// not ready yet when the sanitizer calls dlsym. The loader's list is read without its lock, which
// is safe as far as libc: what stands before it was loaded at start and is never unloaded.
void* libc_definition(const char* symbol) {
    for (const link_map* map = _r_debug.r_map; map != nullptr; map = map->l_next) {
        const Object object(map->l_addr, map->l_ld);
        if (is_soname_of(Library::LIBC, object.soname())) return object.function(symbol);
    }
    return nullptr;
}

// Calls visit(const Mapped&) for each object in load order until it returns true.
template <class Visit>
void walk(Visit visit) {
    static std::atomic<decltype(&dl_iterate_phdr)> iterate{nullptr};
    if (iterate.load(std::memory_order_relaxed) == nullptr) {
        iterate = reinterpret_cast<decltype(&dl_iterate_phdr)>(libc_definition("dl_iterate_phdr"));
    }
    const auto function = iterate.load(std::memory_order_relaxed);
    if (function == nullptr) return;
    function([](dl_phdr_info* info, size_t,
                void* data) -> int { return (*static_cast<Visit*>(data))(Mapped(*info)) ? 1 : 0; },
             &visit);
}

// The lines of /proc/self/maps, by system call and in a buffer of its own. (A line that does not
// fit, which no path makes, ends them.)
class Maps {
  public:
    Maps() : descriptor_(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
    ~Maps() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    Maps(const Maps&) = delete;
    Maps& operator=(const Maps&) = delete;

    // The next one, without its newline; valid until the next call. Null at the end.
    const char* next() {
        for (;;) {
            if (char* const end = strchr(line_, '\n')) {
                *end = '\0';
                return std::exchange(line_, end + 1);
            }
            if (!read_on()) return nullptr;
        }
    }

  private:
    bool read_on() {
        size_t held = strlen(line_);
        memmove(text_, line_, held + 1);
        line_ = text_;
        const ssize_t got =
            descriptor_ < 0 ? 0 : read(descriptor_, text_ + held, sizeof text_ - 1 - held);
        if (got <= 0) return false;
        held += static_cast<size_t>(got);
        text_[held] = '\0';
        return true;
    }

    const int descriptor_;
    char text_[8192] = "";
    char* line_ = text_;
};

// Reads hexadecimal digits and moves `text` behind them.
uintptr_t number(const char*& text) {
    uintptr_t value = 0;
    for (;; ++text) {
        if (*text >= '0' && *text <= '9') {
            value = value * 16 + static_cast<uintptr_t>(*text - '0');
        } else if (*text >= 'a' && *text <= 'f') {
            value = value * 16 + 10 + static_cast<uintptr_t>(*text - 'a');
        } else {
            return value;
        }
    }
}

// The path in a line of /proc/self/maps ("BEGIN-END MODE OFFSET DEVICE INODE PATH", proc(5)) if
// `where` lies in that mapping, else null.
const char* path_of_mapping(const char* line, uintptr_t where) {
    const char* rest = line;
    const uintptr_t begin = number(rest);
    ++rest;
    const uintptr_t end = number(rest);
    return where >= begin && where < end ? strchr(rest, '/') : nullptr;
}

// Writes the path that is mapped at `address`: absolute, and of the file itself where its name is a
// link.
bool mapped_path(const void* address, char* path, size_t capacity) {
    Maps maps;
    while (const char* const line = maps.next()) {
        const char* const name = path_of_mapping(line, reinterpret_cast<uintptr_t>(address));
        if (name == nullptr) continue;
        if (strlen(name) >= capacity) return false;
        strcpy(path, name);
        return true;
    }
    return false;
}

// Writes the path by which the loader knows libration.so, if it is absolute.
bool loaded_path(char* path, size_t capacity) {
    bool absolute = false;
    walk([&](const Mapped& object) {
        if (!object.is_ours()) return false;
        const char* const name = object.name();
        absolute = name != nullptr && name[0] == '/' && strlen(name) < capacity;
        if (absolute) strcpy(path, name);
        return true;
    });
    return absolute;
}

// Puts `file` in the place of the last part of `path`.
bool put_beside(const char* file, char* path, size_t capacity) {
    char* const slash = strrchr(path, '/');
    if (slash == nullptr) return false;
    const size_t folder = static_cast<size_t>(slash + 1 - path);
    if (folder + strlen(file) >= capacity) return false;
    strcpy(slash + 1, file);
    return true;
}

const char* base_name(const char* path) {
    const char* const slash = strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}

// Whether the loader takes the object for what a DT_NEEDED entry names.
bool answers_to(const link_map& map, const char* needed) {
    return text::equal(Object(map.l_addr, map.l_ld).soname(), needed) ||
           text::equal(map.l_name, needed) || text::equal(base_name(map.l_name), needed);
}

unsigned position_of(const link_map* first, const char* needed) {
    unsigned position = 0;
    for (const link_map* map = first; map != nullptr; map = map->l_next, ++position) {
        if (answers_to(*map, needed)) return position;
    }
    return 0;
}

unsigned own_position(const link_map* first) {
    unsigned position = 0;
    const auto ours = reinterpret_cast<ElfW(Addr)>(_DYNAMIC);
    for (const link_map* map = first; map != nullptr; map = map->l_next, ++position) {
        if (reinterpret_cast<ElfW(Addr)>(map->l_ld) == ours) return position;
    }
    return 0;
}

// How many objects at the head of the loader's list were loaded at start. What is opened later goes
// to the list's end, so these are all up to the last one that one of them needs. (Preloaded ones
// stand before what the program needs.) To be called with the list held.
unsigned count_at_start() {
    const link_map* const first = _r_debug.r_map;
    unsigned last = own_position(first);
    unsigned position = 0;
    for (const link_map* map = first; map != nullptr && position <= last;
         map = map->l_next, ++position) {
        Object(map->l_addr, map->l_ld).for_each_needed([&](const char* needed) {
            const unsigned found = position_of(first, needed);
            if (found > last) last = found;
        });
    }
    return last + 1;
}

}  // namespace

void* next_definition(const char* name) {
    bool behind_us = false;
    void* definition = nullptr;
    walk([&](const Mapped& object) {
        if (behind_us) definition = object.function(name);
        behind_us = behind_us || object.is_ours();
        return definition != nullptr;
    });
    return definition;
}

void* definition_beside(const void* address, const char* name) {
    void* definition = nullptr;
    walk([&](const Mapped& object) {
        if (!object.contains(address)) return false;
        definition = object.function(name);
        return true;
    });
    return definition;
}

void* definition_in(Library library, const char* name) {
    void* definition = nullptr;
    walk([&](const Mapped& object) {
        if (!object.is(library)) return false;
        definition = object.function(name);
        return true;
    });
    return definition;
}

void* other_definition(const char* name) {
    void* definition = nullptr;
    walk([&](const Mapped& object) {
        return !object.is_ours() && (definition = object.function(name)) != nullptr;
    });
    return definition;
}

bool loaded_at_start(const void* address) {
    static std::atomic<unsigned> count{0};  // what was loaded at start does not change
    unsigned position = 0;
    bool at_start = false;
    walk([&](const Mapped& object) {
        if (count == 0) count = count_at_start();
        if (position++ >= count) return true;
        return at_start = object.contains(address);
    });
    return at_start;
}

uint32_t unloaded_so_far() {
    uint32_t unloaded = 0;
    walk([&](const Mapped& object) {
        unloaded = static_cast<uint32_t>(object.unloaded_so_far());
        return true;
    });
    return unloaded;
}

namespace {
constexpr unsigned kAddressBits = 48;
constexpr uint64_t tag(uint32_t unloaded) { return uint64_t{unloaded} << kAddressBits; }
}  // namespace

void* Cached::get() const {
    const uint64_t word = word_.load(std::memory_order_acquire);
    const uint64_t address = word & ((uint64_t{1} << kAddressBits) - 1);
    if (address == 0 || (word ^ address) != tag(unloaded_so_far())) return nullptr;
    return reinterpret_cast<void*>(address);
}

void Cached::set(void* address, uint32_t unloaded_before) {
    const auto number = reinterpret_cast<uint64_t>(address);
    const bool fits = number >> kAddressBits == 0;
    word_.store(fits ? number | tag(unloaded_before) : 0, std::memory_order_release);
}

bool is_loaded(Library library) {
    bool loaded = false;
    walk([&](const Mapped& object) { return loaded = object.is(library); });
    return loaded;
}

bool is_in(Library library, const void* address) {
    bool inside = false;
    walk([&](const Mapped& object) {
        if (!object.contains(address)) return false;
        inside = object.is(library);
        return true;
    });
    return inside;
}

bool soname_of(Library library, char* soname, unsigned long capacity) {
    bool written = false;
    walk([&](const Mapped& object) {
        if (!object.is(library)) return false;
        written = strlen(object.soname()) < capacity;
        if (written) strcpy(soname, object.soname());
        return true;
    });
    return written;
}

bool beside_us(const char* file, char* path, unsigned long capacity) {
    const void* const here = reinterpret_cast<const void*>(&beside_us);
    const bool by_name = loaded_path(path, capacity) && put_beside(file, path, capacity);
    if (by_name && access(path, F_OK) == 0) return true;
    // Its name is relative to a folder that the program has left, or is a link to it.
    return mapped_path(here, path, capacity) && put_beside(file, path, capacity);
}

}  // namespace ration::objects
