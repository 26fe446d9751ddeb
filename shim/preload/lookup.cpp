// Look-ups of hooked names: dlsym, cuGetProcAddress and hipGetProcAddress. All ask the real
// function first and then swap the ADDRESS that it gave, if it is the library's own function of a
// hooked name. Whatever the program is told besides (versions, flags, status, dlerror) is the
// original's by construction.
#include <dlfcn.h>

#include <string_view>

#include "shim/preload/front.h"
#include "shim/preload/libc.h"
#include "shim/preload/loader_list.h"
#include "shim/preload/objects.h"
#include "shim/preload/rows.h"
#include "shim/preload/signatures.h"
#include "shim/preload/stand_ins.h"

namespace ration::front {
namespace {

void* address_for_program(unsigned row, void* real_address) {
    remember(row, real_address);
    return hand_out(row, real_address);
}

// What follows libration.so in the global scope, or the library where a plugin loaded it for
// itself. Null, and an error for dlerror, if there is neither.
void* what_follows_us(unsigned row) {
    const char* const name = kHookRows[row].symbol;
    if (void* const next = libc::next_in_scope(name)) return next;
    void* const address = objects::definition_in(library_of(row), name);
    if (address != nullptr) libc::clear_error();
    return address;
}

// libc's own becomes ours; another library's is what the program asks for, and comes to us by
// itself. Nothing is remembered: who asks libc for its own must not make others pass by what
// another preloaded library does in between.
void* ioctl_for_program(unsigned row, void* address) {
    return objects::is_in(Library::LIBC, address) ? exported(row) : address;
}

// dlsym for the names of hooks.def, called in place of libc's by the jump in stubs.S.
void* look_up(void* handle, const char* name) {
    const auto row = static_cast<unsigned>(kRowsBySymbol.find(name));
    void* address = libc::real_dlsym()(handle, name);
    if (library_of(row) == Library::LIBC) return ioctl_for_program(row, address);
    // A search of the global scope met ourselves. Without us it would have gone on.
    if (address == exported(row)) address = what_follows_us(row);
    if (address == nullptr || !stands_for(row, address)) return address;
    return address_for_program(row, address);
}

// The same for a library that looks itself up: it gets its own functions and never ours, or it
// would call itself through us without end.
void* look_up_by_itself(void* handle, const char* name) {
    void* const address = libc::real_dlsym()(handle, name);
    const auto row = static_cast<unsigned>(kRowsBySymbol.find(name));
    return address == exported(row) ? objects::definition_in(library_of(row), name) : address;
}

// The row of `symbol`'s family, or of that very symbol, whose definition, in the library that
// `address` belongs to, is `address`. Name and address must both agree: a driver may fold entry
// points of one body but different signatures into one address.
int row_behind(const char* symbol, const void* address) {
    if (kRowsByFamily.find(symbol) < 0 && kRowsBySymbol.find(symbol) < 0) return -1;
    int found = -1;
    objects::visit_object_at(address, [&](const objects::ElfObject& object) {
        const auto is_defined_there = [&](unsigned row) {
            return object.function(kHookRows[row].symbol) == address;
        };
        found = kRowsByFamily.find(symbol, is_defined_there);
        if (found < 0) found = kRowsBySymbol.find(symbol, is_defined_there);
    });
    return found;
}

void swap(const char* symbol, void** function) {
    const int row = row_behind(symbol, *function);
    // Ours already, if the driver resolved its own tables through the global scope.
    if (row < 0 || *function == exported(static_cast<unsigned>(row))) return;
    *function = address_for_program(static_cast<unsigned>(row), *function);
}

// The row of a function that the program called, and from where.
struct Call {
    unsigned row;
    const void* caller;
};

template <class Function, class... Rest>
auto get_proc_address(Call own, const char* symbol, void** function, Rest... rest) {
    const Library library = library_of(own.row);
    void* next = real(own.row);
    const bool not_in_library = next == nullptr && objects::is_loaded(library);
    if (next == nullptr && !not_in_library) next = stub_of(own.row, own.caller);
    auto* const real_function = reinterpret_cast<Function>(next);
    using Result = decltype(real_function(symbol, function, rest...));
    if (real_function == nullptr) {
        return static_cast<Result>(not_in_library ? not_in_library_code(library)
                                                  : no_library_code(library));
    }
    const Result result = real_function(symbol, function, rest...);
    if (result == Result{} && symbol != nullptr && function != nullptr && *function != nullptr &&
        !secure()) {
        swap(symbol, function);
    }
    return result;
}

}  // namespace

// Of a name that is on the list; known when it is compiled.
consteval unsigned row(std::string_view name) {
    unsigned found = 0;
    while (kHookRows[found].symbol != name) ++found;
    return found;
}

}  // namespace ration::front

extern "C" {

#pragma GCC visibility push(default)
CUresult cuGetProcAddress(const char* symbol, void** function, int version, cuuint64_t flags) {
    return ration::front::get_proc_address<decltype(&::cuGetProcAddress)>(
        {ration::front::row("cuGetProcAddress"), __builtin_return_address(0)}, symbol, function,
        version, flags);
}

CUresult cuGetProcAddress_v2(const char* symbol, void** function, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
    return ration::front::get_proc_address<decltype(&::cuGetProcAddress_v2)>(
        {ration::front::row("cuGetProcAddress_v2"), __builtin_return_address(0)}, symbol, function,
        version, flags, status);
}

ration::amd::HipError hipGetProcAddress(const char* symbol, void** function, int version,
                                        uint64_t flags, int* status) {
    return ration::front::get_proc_address<ration::amd::type::hipGetProcAddress*>(
        {ration::front::row("hipGetProcAddress"), __builtin_return_address(0)}, symbol, function,
        version, flags, status);
}
#pragma GCC visibility pop

// Where a call of dlsym goes: the address that stubs.S jumps to with the caller's own arguments and
// return address. For every name that is not exactly on the list, and for RTLD_NEXT, that is the
// next dlsym, which thus sees the true caller; and for a library that has an ioctl of its own,
// which would otherwise call itself through us. Null where there is none: the look-up then finds
// nothing.
void* ration_route_dlsym(void* handle, const char* name, const void* caller) {
    using namespace ration;
    void* const next = reinterpret_cast<void*>(libc::real_dlsym());
    if (next == nullptr || name == nullptr || handle == RTLD_NEXT) return next;
    const int row = front::kRowsBySymbol.find(name);
    if (row < 0 || front::secure()) return next;
    const Library library = library_of(static_cast<unsigned>(row));
    if (library == Library::LIBC && objects::definition_beside(caller, name) != nullptr) {
        return next;
    }
    return reinterpret_cast<void*>(objects::is_in(library, caller) ? &front::look_up_by_itself
                                                                   : &front::look_up);
}
}
