// Look-ups of hooked names: dlsym and cuGetProcAddress. Both ask the real function first and then
// swap the ADDRESS that it gave, if it is the driver's own function of a hooked name. Whatever the
// program is told besides (versions, flags, status, dlerror) is the original's by construction.
#include <dlfcn.h>

#include "shim/preload/front.h"
#include "shim/preload/libc.h"
#include "shim/preload/objects.h"
#include "shim/preload/text.h"
#include "shim/preload/typed.h"

namespace ration::front {
namespace {

void* address_for_program(unsigned row, void* driver_address) {
    if (row >= kHookCount) return exported(row);
    remember(static_cast<Hook>(row), driver_address);
    return hand_out(static_cast<Hook>(row));
}

// What follows libration.so in the global scope, or the driver where a plugin loaded it for itself.
// Null, and an error for dlerror, if there is neither.
void* what_follows_us(const char* name) {
    if (void* const next = libc::next_in_scope(name)) return next;
    void* const driver_address = objects::driver_definition(name);
    if (driver_address != nullptr) libc::clear_error();
    return driver_address;
}

// The driver's own function, or that of another preloaded library which stands before the driver. A
// library that merely has a symbol of the name keeps it.
bool stands_for_driver(const char* name, const void* address) {
    if (objects::in_driver(address)) return true;
    void* const next = libc::next_in_scope(name);
    if (next == nullptr) libc::clear_error();
    return next == address;
}

// dlsym for the names of hooks.def, called in place of libc's by the jump in stubs.S.
void* look_up(void* handle, const char* name) {
    const auto row = static_cast<unsigned>(row_of(name));
    void* address = libc::real_dlsym()(handle, name);
    // A search of the global scope met ourselves. Without us it would have gone on.
    if (address == exported(row)) address = what_follows_us(name);
    if (address == nullptr || !stands_for_driver(name, address)) return address;
    return address_for_program(row, address);
}

// The same for a driver that looks itself up: it gets its own functions and never ours, or it would
// call itself through us without end.
void* look_up_by_driver(void* handle, const char* name) {
    void* const address = libc::real_dlsym()(handle, name);
    const auto row = static_cast<unsigned>(row_of(name));
    return address == exported(row) ? objects::driver_definition(name) : address;
}

// The row of `symbol`'s family whose definition, in the library that `address` belongs to, is
// `address`. Name and address must both agree: a driver may fold entry points of one body but
// different signatures into one address.
int row_behind(const char* symbol, const void* address) {
    for (unsigned row = 0; row < kRowCount; ++row) {
        if (text::equal(kHookRows[row].family, symbol) &&
            objects::definition_beside(address, kHookRows[row].symbol) == address) {
            return static_cast<int>(row);
        }
    }
    return -1;
}

void swap(const char* symbol, void** function) {
    const int row = row_behind(symbol, *function);
    // Ours already, if the driver resolved its own tables through the global scope.
    if (row < 0 || *function == exported(static_cast<unsigned>(row))) return;
    *function = address_for_program(static_cast<unsigned>(row), *function);
}

template <class Function, class... Rest>
CUresult get_proc_address(const char* name, const char* symbol, void** function, Rest... rest) {
    auto* const real_function = reinterpret_cast<Function>(objects::driver_definition(name));
    if (real_function == nullptr) {
        return objects::driver_definition("cuInit") == nullptr ? CUDA_ERROR_NO_DEVICE
                                                               : CUDA_ERROR_NOT_SUPPORTED;
    }
    const CUresult result = real_function(symbol, function, rest...);
    if (result == CUDA_SUCCESS && symbol != nullptr && function != nullptr &&
        *function != nullptr && !secure()) {
        swap(symbol, function);
    }
    return result;
}

}  // namespace

int row_of(const char* name) {
    for (unsigned row = 0; row < kRowCount; ++row) {
        if (text::equal(kHookRows[row].symbol, name)) return static_cast<int>(row);
    }
    return -1;
}

}  // namespace ration::front

extern "C" {

#pragma GCC visibility push(default)
CUresult cuGetProcAddress(const char* symbol, void** function, int version, cuuint64_t flags) {
    return ration::front::get_proc_address<decltype(&::cuGetProcAddress)>(
        "cuGetProcAddress", symbol, function, version, flags);
}

CUresult cuGetProcAddress_v2(const char* symbol, void** function, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
    return ration::front::get_proc_address<decltype(&::cuGetProcAddress_v2)>(
        "cuGetProcAddress_v2", symbol, function, version, flags, status);
}
#pragma GCC visibility pop

// Where a call of dlsym goes: the address that stubs.S jumps to with the caller's own arguments and
// return address. For every name that is not exactly on the list, and for RTLD_NEXT, that is the
// next dlsym, which thus sees the true caller.
void* ration_route_dlsym(void* handle, const char* name, const void* caller) {
    using namespace ration;
    void* const next = reinterpret_cast<void*>(libc::real_dlsym());
    if (name == nullptr || handle == RTLD_NEXT || front::row_of(name) < 0 || front::secure()) {
        return next;
    }
    return reinterpret_cast<void*>(objects::in_driver(caller) ? &front::look_up_by_driver
                                                              : &front::look_up);
}
}
