#include "shim/preload/libc.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>

#include "shim/preload/objects.h"

namespace ration::libc {
namespace {

using Dlopen = void* (*)(const char* file, int flags);
using Dlerror = char* (*)();

Dlopen real_dlopen() { return reinterpret_cast<Dlopen>(objects::next_definition("dlopen")); }

std::atomic<Dlsym> known_dlsym{nullptr};

}  // namespace

Dlsym real_dlsym() {
    Dlsym found = known_dlsym.load(std::memory_order_relaxed);
    if (found == nullptr) {
        found = reinterpret_cast<Dlsym>(objects::next_definition("dlsym"));
        known_dlsym.store(found, std::memory_order_relaxed);
    }
    return found;
}

void* next_in_scope(const char* name) {
    const Dlsym function = real_dlsym();
    return function != nullptr ? function(RTLD_NEXT, name) : nullptr;
}

void clear_error() {
    if (auto* const error = reinterpret_cast<Dlerror>(objects::next_definition("dlerror"))) error();
}

void* open(const char* file, const char** why) {
    *why = "this program has no dlopen";
    const Dlopen function = real_dlopen();
    if (function == nullptr) return nullptr;
    void* const handle = function(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
        auto* const error = reinterpret_cast<Dlerror>(objects::next_definition("dlerror"));
        const char* const text = error != nullptr ? error() : nullptr;
        *why = text != nullptr ? text : "dlopen gives no reason";
    }
    return handle;
}

void pin(const char* soname) {
    const Dlopen function = real_dlopen();
    if (function == nullptr) return;
    if (function(soname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == nullptr) clear_error();
}

void say(const char* text) {
    char prefix[] = "ration: ";
    char newline[] = "\n";
    const iovec parts[] = {
        {prefix, sizeof prefix - 1}, {const_cast<char*>(text), strlen(text)}, {newline, 1}};
    if (writev(STDERR_FILENO, parts, 3) < 0) return;  // nowhere left to say it
}

}  // namespace ration::libc
