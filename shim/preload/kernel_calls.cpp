#include "shim/preload/kernel_calls.h"

#include <errno.h>

#include "shim/amd/device_file.h"
#include "shim/preload/front.h"
#include "shim/preload/objects.h"
#include "shim/preload/signatures.h"

extern "C" {

// Jumped through by the exported ioctl (stubs.S) for all requests but those of type 'K' with a
// size. A plain pointer with a plain initialiser, so that no compiler makes a constructor of it.
extern const char ration_first_ioctl[];
extern void* ration_next_ioctl;
void* ration_next_ioctl = const_cast<char*>(ration_first_ioctl);

// Called once, by the first ioctl of the process, which may be a sanitizer's before it is ready,
// or stand in a signal handler.
void* ration_find_ioctl() {
    void* const next = ration::objects::next_definition("ioctl");
    __atomic_store_n(&ration_next_ioctl, next, __ATOMIC_RELAXED);
    return next;
}
}

namespace ration::front {
namespace {

using Ioctl = Signature<Hook::ioctl>::Pointer;

int call_next(int descriptor, unsigned long request, void* argument) {
    return reinterpret_cast<Ioctl>(next_ioctl())(descriptor, request, argument);
}

bool is_kfds(int descriptor, unsigned long request) {
    return amd::is_kfds(amd::device_kind(descriptor), request);
}

}  // namespace

void* next_ioctl() {
    void* const known = __atomic_load_n(&ration_next_ioctl, __ATOMIC_RELAXED);
    return known != ration_first_ioctl ? known : ration_find_ioctl();
}

int undecided_ioctl(int descriptor, unsigned long request, void* argument) {
    if (!is_kfds(descriptor, request)) return call_next(descriptor, request, argument);
    decide(Hook::ioctl);
    return reinterpret_cast<Ioctl>(target(Hook::ioctl, nullptr))(descriptor, request, argument);
}

// The HSA runtime asks for the interface's version first, and where that fails it finds no GPU.
int refused_ioctl(int descriptor, unsigned long request, void* argument) {
    if (!is_kfds(descriptor, request)) return call_next(descriptor, request, argument);
    errno = EPERM;
    return -1;
}

}  // namespace ration::front
