#include "shim/preload/stand_ins.h"

#include "shim/preload/front.h"
#include "shim/preload/kernel_calls.h"
#include "shim/preload/signatures.h"

namespace ration::front {
namespace {

template <Library library>
int answer_no_library() {
    return no_library_code(library);
}

template <Library library>
int answer_not_in_library() {
    return not_in_library_code(library);
}

template <Library library>
int answer_refused() {
    return library == Library::HSA ? int{amd::kHsaErrorOutOfResources}
                                   : refusal(vendor_of(library));
}

template <class Function>
void* address(Function* function) {
    return reinterpret_cast<void*>(function);
}

template <Hook hook, class F = typename Signature<hook>::Pointer>
struct Initialisation;

template <Hook hook, class R, class... A>
struct Initialisation<hook, R (*)(A...)> {
    // By its own slot: who holds our jump comes here until a call has succeeded.
    static R function(A... arguments) {
        using Function = R (*)(A...);
        const void* const caller = __builtin_return_address(0);
        void* const self = address(&function);
        decide(hook);
        void* const now = target(hook, caller);
        void* const next = now == self ? real(hook) : now;
        if (next == nullptr) return static_cast<R>(no_library_code(library_of(hook)));
        const R result = reinterpret_cast<Function>(next)(arguments...);
        if (result == R{}) replace(hook, self, next);
        return result;
    }
};

}  // namespace

int no_library_code(Library library) {
    if (library == Library::CUDA) return CUDA_ERROR_NO_DEVICE;
    return library == Library::HIP ? int{amd::kHipErrorNoDevice}
                                   : int{amd::kHsaErrorOutOfResources};
}

int not_in_library_code(Library library) {
    if (library == Library::CUDA) return CUDA_ERROR_NOT_SUPPORTED;
    return library == Library::HIP ? int{amd::kHipErrorNotSupported} : int{amd::kHsaError};
}

// The C library is always there and has what we hook of it, so it comes up in the last one alone.
void* no_library(Library library) {
    if (library == Library::CUDA) return address(&answer_no_library<Library::CUDA>);
    return address(library == Library::HIP ? &answer_no_library<Library::HIP>
                                           : &answer_no_library<Library::HSA>);
}

void* not_in_library(Library library) {
    if (library == Library::CUDA) return address(&answer_not_in_library<Library::CUDA>);
    return address(library == Library::HIP ? &answer_not_in_library<Library::HIP>
                                           : &answer_not_in_library<Library::HSA>);
}

void* refused(Library library) {
    if (library == Library::LIBC) return address(&refused_ioctl);
    if (library == Library::CUDA) return address(&answer_refused<Library::CUDA>);
    return address(library == Library::HIP ? &answer_refused<Library::HIP>
                                           : &answer_refused<Library::HSA>);
}

void* until_it_succeeds(Hook hook, void* function) {
    switch (hook) {
        case Hook::cuInit:
            return address(&Initialisation<Hook::cuInit>::function);
        case Hook::hipInit:
            return address(&Initialisation<Hook::hipInit>::function);
        case Hook::hsa_init:
            return address(&Initialisation<Hook::hsa_init>::function);
        default:
            return function;
    }
}

}  // namespace ration::front
