// The functions that stand in a slot when neither a library nor the engine does. Their types come
// by way of signatures.h, so that arguments are passed on exactly as the library gets them.
#pragma once

#include "shim/preload/front.h"
#include "shim/preload/kernel_calls.h"
#include "shim/preload/signatures.h"

namespace ration::front {

// What each library says in these cases.
struct Answers {
    int no_library;      // a weak reference became true by our presence
    int not_in_library;  // it is older than the entry point; a linked program would not have
                         // started
};
constexpr Answers answers_of(Library library) {
    switch (library) {
        case Library::CUDA:
            return {CUDA_ERROR_NO_DEVICE, CUDA_ERROR_NOT_SUPPORTED};
        case Library::HIP:
            return {amd::kHipErrorNoDevice, amd::kHipErrorNotSupported};
        case Library::HSA:
        case Library::LIBC:
            break;
    }
    return {amd::kHsaErrorOutOfResources, amd::kHsaError};
}

// The code with which the calls of a vendor's library fail if the engine refused.
int refusal(Vendor vendor);

template <Hook hook, class F = typename Signature<hook>::Pointer>
struct Typed;

template <Hook hook, class R, class... A>
struct Typed<hook, R (*)(A...)> {
    using Function = R (*)(A...);
    static constexpr Library kLibrary = library_of(hook);

    // Before the decision. The exported symbol jumps here, so that the return address is the
    // program's.
    static R undecided(A... arguments) {
        const void* const caller = __builtin_return_address(0);
        decide(hook);
        return reinterpret_cast<Function>(target(hook, caller))(arguments...);
    }
    static R no_library(A...) { return static_cast<R>(answers_of(kLibrary).no_library); }
    static R not_in_library(A...) { return static_cast<R>(answers_of(kLibrary).not_in_library); }
    // The engine refused, or could not be loaded although there is a policy. HSA has no code for
    // that, but "no resources" is what makes those above it say that there is no device.
    static R refused(A...) {
        return static_cast<R>(kLibrary == Library::HSA ? int{amd::kHsaErrorOutOfResources}
                                                       : refusal(vendor_of(kLibrary)));
    }

    // A library's initialisation stays ours until it has succeeded: a child that is forked before
    // that decides for itself, by its own environment, at its own first call.
    static R until_it_succeeds(A... arguments) {
        const void* const caller = __builtin_return_address(0);
        decide(hook);
        const auto self = reinterpret_cast<void*>(&until_it_succeeds);
        void* const now = target(hook, caller);
        void* const function = now == self ? real(hook) : now;
        if (function == nullptr) return no_library(arguments...);
        const R result = reinterpret_cast<Function>(function)(arguments...);
        if (result == R{}) replace(hook, self, function);
        return result;
    }
};

template <>
struct Typed<Hook::ioctl, Signature<Hook::ioctl>::Pointer> {
    static constexpr auto undecided = &undecided_ioctl;
    static constexpr auto refused = &refused_ioctl;
    // The C library is always there, and has it.
    static constexpr auto no_library = &undecided_ioctl;
    static constexpr auto not_in_library = &undecided_ioctl;
};

}  // namespace ration::front
