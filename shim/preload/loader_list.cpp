#include "shim/preload/loader_list.h"

#include <atomic>

#include "shim/host/undisturbed.h"
#include "shim/preload/objects.h"
#include "shim/preload/unforked.h"

namespace ration::objects {
namespace {

// What a library's SONAME begins with: behind it the name ends, or a version or a packager's mark
// follows.
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

template <class Condition>
    const ElfW(Phdr) * find_segment(const dl_phdr_info& info, Condition condition) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        if (condition(info.dlpi_phdr[i])) return &info.dlpi_phdr[i];
    }
    return nullptr;
}

using Iterate = decltype(&dl_iterate_phdr);

Iterate loaders_own_walk() {
    static std::atomic<Iterate> known{nullptr};
    Iterate found = known.load(std::memory_order_relaxed);
    if (found == nullptr) {
        found = reinterpret_cast<Iterate>(libc_definition("dl_iterate_phdr"));
        known.store(found, std::memory_order_relaxed);
    }
    return found;
}

// What _dl_find_object fills in, as far as it is read here, and room for the rest (<dlfcn.h>; older
// headers have none).
struct FoundObject {
    unsigned long long flags;
    void* begin;
    void* end;
    const link_map* map;
    unsigned long long more[16];
};
using FindObject = int (*)(void* address, FoundObject* found);

FindObject loaders_own_find() {
    static std::atomic<FindObject> known{nullptr};
    static std::atomic<bool> asked{false};
    if (!asked.load(std::memory_order_acquire)) {
        known = reinterpret_cast<FindObject>(next_definition("_dl_find_object"));
        asked.store(true, std::memory_order_release);
    }
    return known.load(std::memory_order_relaxed);
}

}  // namespace

bool is_soname_of(Library library, const char* soname) {
    const char* expected = stem(library);
    while (*expected != '\0' && *expected == *soname) {
        ++expected;
        ++soname;
    }
    return *expected == '\0' && (*soname == '\0' || *soname == '.' || *soname == '-');
}

bool Mapped::contains(const void* address) const {
    const auto where = reinterpret_cast<ElfW(Addr)>(address);
    return find_segment(info_, [&](const ElfW(Phdr) & segment) {
               const ElfW(Addr) begin = info_.dlpi_addr + segment.p_vaddr;
               return segment.p_type == PT_LOAD && where >= begin &&
                      where < begin + segment.p_memsz;
           }) != nullptr;
}

const ElfW(Dyn) * Mapped::dynamic() const {
    const auto* const found = find_segment(
        info_, [](const ElfW(Phdr) & segment) { return segment.p_type == PT_DYNAMIC; });
    return found == nullptr ? nullptr : reinterpret_cast<const ElfW(Dyn)*>(base() + found->p_vaddr);
}

void walk(Visit visit, void* data) {
    const Iterate iterate = loaders_own_walk();
    if (iterate == nullptr) return;
    struct Visitor {
        Visit visit;
        void* data;
    } visitor{visit, data};
    const host::HeldSignals held(host::HeldSignals::Which::kAll);
    const front::Unforked unforked;
    iterate(
        [](dl_phdr_info* info, size_t, void* opaque) -> int {
            const auto& self = *static_cast<const Visitor*>(opaque);
            return self.visit(Mapped(*info), self.data) ? 1 : 0;
        },
        &visitor);
}

bool visit_object_at(const void* address, void (*visit)(const ElfObject& object, void* data),
                     void* data) {
    if (const FindObject find = loaders_own_find()) {
        FoundObject found{};
        if (find(const_cast<void*>(address), &found) != 0) return false;
        visit(ElfObject(found.map->l_addr, found.map->l_ld), data);
        return true;
    }
    bool visited = false;
    walk([&](const Mapped& object) {
        visited = object.contains(address);
        if (visited) visit(object.object(), data);
        return visited;
    });
    return visited;
}

void* libc_definition(const char* symbol) {
    void* definition = nullptr;
    walk_up_to_libc([&](const link_map& map) {
        const ElfObject object(map.l_addr, map.l_ld);
        if (!is_soname_of(Library::LIBC, object.soname())) return false;
        definition = object.function(symbol);
        return true;
    });
    return definition;
}

}  // namespace ration::objects
