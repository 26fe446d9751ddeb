#include "shim/preload/kernel_calls.h"

#include <errno.h>

#include "shim/amd/device_file.h"
#include "shim/preload/front.h"
#include "shim/preload/objects.h"
#include "shim/preload/signatures.h"

// Jumped through by the exported ioctl (stubs.S) for all requests but those of type 'K' with a
// size. Zero until the first one.
extern "C" {
extern void* ration_next_ioctl;
void* ration_next_ioctl = nullptr;
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

// The first ioctl of the process comes here, which may be a sanitizer's before it is ready, or
// stand in a signal handler.
void* next_ioctl() {
    void* next = __atomic_load_n(&ration_next_ioctl, __ATOMIC_RELAXED);
    if (next == nullptr) {
        next = objects::next_definition("ioctl");
        __atomic_store_n(&ration_next_ioctl, next, __ATOMIC_RELAXED);
    }
    return next;
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
