/* libgcc's unwinder, built on glibc 2.35 or newer, asks the loader for the unwind table of an
 * address by _dl_find_object and knows no other way (libgcc, unwind-dw2-fde-dip.c). This one walks
 * dl_iterate_phdr as the unwinder did before: slower, and exceptions are rare in here. */
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>

/* As in glibc's <dlfcn.h> for machines without an unwind base of their own, x86-64 and aarch64
 * among them; the header of an older host does not have it. */
struct found_object {
    unsigned long long flags;
    void* map_start;
    void* map_end;
    struct link_map* link_map;
    void* eh_frame;
    unsigned long long reserved[7];
};
_Static_assert(sizeof(struct found_object) == 96, "the unwinder's layout");

struct search {
    uintptr_t address;
    struct found_object* result;
};

static int visit(struct dl_phdr_info* info, size_t size, void* data) {
    (void)size;
    struct search* search = data;
    const ElfW(Phdr)* table = 0;
    int inside = 0;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)* header = &info->dlpi_phdr[i];
        const uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) table = header;
        if (header->p_type != PT_LOAD || search->address - start >= header->p_memsz) continue;
        inside = 1;
        search->result->map_start = (void*)start;
        search->result->map_end = (void*)(start + header->p_memsz);
    }
    if (!inside) return 0;
    if (!table) return -1;
    search->result->flags = 0;
    search->result->link_map = 0; /* not read by the unwinder */
    search->result->eh_frame = (void*)(info->dlpi_addr + table->p_vaddr);
    return 1;
}

/* The header of a newer host declares the name with its own struct. */
int find_object(void* address, struct found_object* result) __asm__("_dl_find_object");

int find_object(void* address, struct found_object* result) {
    struct search search = {(uintptr_t)address, result};
    return dl_iterate_phdr(visit, &search) == 1 ? 0 : -1;
}
