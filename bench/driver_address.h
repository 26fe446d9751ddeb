// The driver's own functions, whatever is preloaded: what dlsym would hand out may be a hook.
#pragma once

#include <dlfcn.h>
#include <link.h>

#include "shim/preload/elf_object.h"

// `like` is the function as the program has it linked, for its type. Null if there is no driver.
template <class Function>
Function* driver_address(const char* name, Function* like) {
    static_cast<void>(like);
    void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    const link_map* map = nullptr;
    if (driver == nullptr || dlinfo(driver, RTLD_DI_LINKMAP, &map) != 0) return nullptr;
    return reinterpret_cast<Function*>(
        ration::objects::ElfObject(map->l_addr, map->l_ld).function(name));
}
