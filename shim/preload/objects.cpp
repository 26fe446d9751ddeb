#include "shim/preload/objects.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "shim/preload/loader_list.h"
#include "shim/preload/mapped_path.h"
#include "shim/preload/text.h"

namespace ration::objects {
namespace {

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
    return text::equal(ElfObject(map.l_addr, map.l_ld).soname(), needed) ||
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
        ElfObject(map->l_addr, map->l_ld).for_each_needed([&](const char* needed) {
            const unsigned found = position_of(first, needed);
            if (found > last) last = found;
        });
    }
    return last + 1;
}

// What was loaded at start does not change. With the list held.
unsigned loaded_at_start_count() {
    static std::atomic<unsigned> known{0};
    unsigned count = known.load(std::memory_order_relaxed);
    if (count == 0) known.store(count = count_at_start(), std::memory_order_relaxed);
    return count;
}

}  // namespace

void* next_definition(const char* name) {
    void* definition = nullptr;
    bool behind_us = false;
    const bool found = walk_up_to_libc([&](const link_map& map) {
        if (behind_us) definition = ElfObject(map.l_addr, map.l_ld).function(name);
        behind_us = behind_us || map.l_ld == _DYNAMIC;
        return definition != nullptr;
    });
    if (found) return definition;
    behind_us = false;
    walk([&](const Mapped& object) {
        if (behind_us) definition = object.function(name);
        behind_us = behind_us || object.is_ours();
        return definition != nullptr;
    });
    return definition;
}

void* definition_beside(const void* address, const char* name) {
    void* definition = nullptr;
    visit_object_at(address, [&](const ElfObject& object) { definition = object.function(name); });
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

bool place_of(Library library, ElfW(Addr) & base, const ElfW(Dyn) * &dynamic) {
    bool found = false;
    walk([&](const Mapped& object) {
        if (!object.is(library)) return false;
        base = object.base();
        dynamic = object.dynamic();
        return found = dynamic != nullptr;
    });
    return found;
}

void definitions_behind_us(Library library, Search* searches, unsigned count) {
    for (unsigned i = 0; i < count; ++i) searches[i].hash = ElfObject::hash_of(searches[i].name);
    bool ours_seen = false;
    unsigned position = 0;
    unsigned missing = count;     // found nowhere yet
    unsigned not_behind = count;  // or in the library
    walk([&](const Mapped& object) {
        const bool at_start = position++ < loaded_at_start_count();
        const bool behind_us = at_start && ours_seen;
        ours_seen = ours_seen || object.is_ours();
        if (!behind_us && !object.is(library)) return !at_start && missing == 0;
        const ElfObject tables = object.object();
        for (unsigned i = 0; i < count; ++i) {
            Search& search = searches[i];
            if (search.found != nullptr && (search.is_behind_us || !behind_us)) continue;
            void* const found = tables.function(search.name, search.hash);
            if (found == nullptr) continue;
            if (search.found == nullptr) --missing;
            search.found = found;
            search.is_behind_us = behind_us;
            if (behind_us) --not_behind;
        }
        return not_behind == 0 || (!at_start && missing == 0);
    });
}

void* definition_behind_us(Library library, const char* name) {
    Search search{name};
    definitions_behind_us(library, &search, 1);
    return search.found;
}

void* other_definition(const char* name) {
    void* definition = nullptr;
    walk([&](const Mapped& object) {
        return !object.is_ours() && (definition = object.function(name)) != nullptr;
    });
    return definition;
}

bool loaded_at_start(const void* address) {
    unsigned position = 0;
    bool at_start = false;
    walk([&](const Mapped& object) {
        if (position++ >= loaded_at_start_count()) return true;
        return at_start = object.contains(address);
    });
    return at_start;
}

bool is_loaded(Library library) {
    bool loaded = false;
    walk([&](const Mapped& object) { return loaded = object.is(library); });
    return loaded;
}

bool is_in(Library library, const void* address) {
    bool inside = false;
    visit_object_at(
        address, [&](const ElfObject& object) { inside = is_soname_of(library, object.soname()); });
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
