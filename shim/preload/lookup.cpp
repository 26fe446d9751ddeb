// Look-ups of hooked names: dlsym and cuGetProcAddress. Both ask the real function first and then
// swap the ADDRESS that it gave, if it is the driver's own function of a hooked name. Whatever the
// program is told besides (versions, flags, status, dlerror) is the original's by construction.
#include <dlfcn.h>
#include <string.h>

#include "shim/preload/front.h"
#include "shim/preload/libc.h"
#include "shim/preload/objects.h"
#include "shim/preload/typed.h"

namespace ration::front {
namespace {

void* address_for_program(unsigned row, void* driver_address) {
    if (row >= kHookCount) return exported(row);
    remember(static_cast<Hook>(row), driver_address);
    return hand_out(static_cast<Hook>(row));
}

// Another preloaded library behind us may stand before the driver: then the look-up yields its
// function, which is also what follows us in scope.
bool stands_for_driver(const char* name, const void* address) {
    return objects::in_driver(address) || objects::next_definition(name) == address;
}

// dlsym for the names of hooks.def, called in place of libc's by the jump in stubs.S.
void* look_up(void* handle, const char* name) {
    const auto row = static_cast<unsigned>(row_of(name));
    const libc::Dlsym real_dlsym = libc::real_dlsym();
    void* address = real_dlsym(handle, name);
    if (address == exported(row)) {
        // A search of the global scope met ourselves. Without us it would have gone on.
        address = objects::next_definition(name);
        if (address == nullptr) return real_dlsym(RTLD_NEXT, name);  // null, and dlerror says so
    }
    if (address == nullptr || !stands_for_driver(name, address)) return address;
    return address_for_program(row, address);
}

// The row of `symbol`'s family whose definition, in the library that `address` belongs to, is
// `address`. Name and address must both agree: a driver may fold entry points of one body but
// different signatures into one address.
int row_behind(const char* symbol, const void* address) {
    for (unsigned row = 0; row < kRowCount; ++row) {
        if (strcmp(kHookRows[row].family, symbol) == 0 &&
            objects::definition_beside(address, kHookRows[row].symbol) == address) {
            return static_cast<int>(row);
        }
    }
    return -1;
}

void swap(const char* symbol, void** function) {
    const int row = row_behind(symbol, *function);
    if (row >= 0) *function = address_for_program(static_cast<unsigned>(row), *function);
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
        if (strcmp(kHookRows[row].symbol, name) == 0) return static_cast<int>(row);
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
// return address. For every name that is not exactly on the list, for RTLD_NEXT, and for the driver
// itself, that is the next dlsym, which thus sees the true caller.
void* ration_route_dlsym(void* handle, const char* name, const void* caller) {
    using namespace ration;
    void* const next = reinterpret_cast<void*>(libc::real_dlsym());
    if (name == nullptr || handle == RTLD_NEXT || front::row_of(name) < 0 || front::secure() ||
        objects::in_driver(caller)) {
        return next;
    }
    return reinterpret_cast<void*>(&front::look_up);
}
}
