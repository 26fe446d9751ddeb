#include "tests/unit/stream_lab.h"

#include <cstdlib>

#include "tests/gpu/support/green.h"

namespace ration::cuda::stream {
namespace {

gpu::Cuda* driver = nullptr;
Home first{};
thread_local int depth_word = 0;
thread_local void* own_word = nullptr;

void must(bool done) {
    if (!done) std::abort();
}

Real real_functions() {
    Real found;
#define CUDA_STREAM(name, family, kind) \
    found.name = reinterpret_cast<decltype(found.name)>(driver->symbol(#name));
#include "shim/cuda/stream/streams.def"
#define CALL(name) found.name = reinterpret_cast<decltype(found.name)>(driver->symbol(#name));
#include "shim/cuda/stream/calls.def"
#undef CALL
    return found;
}

void put_layer_before(gpu::Cuda& cuda) {
#define GPU_ENTRY(name)                                                                  \
    if constexpr (entry_named(#name) != Entry::kEnd) {                                   \
        cuda.name = reinterpret_cast<decltype(cuda.name)>(function(entry_named(#name))); \
    }
#include "tests/gpu/support/entries.def"
#undef GPU_ENTRY
    // What the hooks of contexts do, as far as a Lab needs it.
    cuda.cuCtxSetCurrent = [](CUcontext context) {
        return driver->cuCtxSetCurrent(context == first.primary ? first.context : context);
    };
    cuda.cuDevicePrimaryCtxRetain = [](CUcontext* primary, CUdevice) {
        *primary = first.primary;
        return CUDA_SUCCESS;
    };
}

void begin_with(gpu::Cuda& own) {
    driver = &own;
    must(begin(real_functions(), {[] { return &depth_word; }, [] { return &own_word; }}));
}

}  // namespace

gpu::Cuda& bare() { return *driver; }
Home& home() { return first; }

Home make_home(CUdevice device) {
    Home made{};
    CUdevResource all{};
    CUdevResourceDesc description{};
    must(driver->cuDevicePrimaryCtxRetain(&made.primary, device) == CUDA_SUCCESS);
    driver->cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM);
    auto groups = gpu::split(*driver, all, 8).groups;
    driver->cuDevResourceGenerateDesc(&description, groups.data(), 2);
    must(driver->cuGreenCtxCreate(&made.green, description, device, CU_GREEN_CTX_DEFAULT_STREAM) ==
         CUDA_SUCCESS);
    driver->cuCtxFromGreenCtx(&made.context, made.green);
    made.domain = open(device, made.context, made.primary);
    must(made.domain != nullptr);
    return made;
}

Report confined(const std::function<void(Lab& lab, Report& found)>& work,
                const gpu::Environment& more) {
    gpu::Environment environment = Lab::environment();
    environment.insert(environment.end(), more.begin(), more.end());
    return gpu::in_child(environment, [&](gpu::Cuda& cuda, Report& found) {
        gpu::Cuda own = cuda;
        begin_with(own);
        must(own.cuInit(0) == CUDA_SUCCESS);
        first = make_home(0);
        put_layer_before(cuda);
        Lab lab(cuda);
        work(lab, found);
        own.cuCtxSetCurrent(first.primary);
        own.cuCtxSynchronize();
    });
}

Report confined_in_child(const std::function<void()>& before,
                         const std::function<void(Lab& lab, Report& found)>& work) {
    return gpu::in_child(Lab::environment(), [&](gpu::Cuda& cuda, Report& found) {
        begin_with(cuda);
        before();
        found = confined(work);
    });
}

}  // namespace ration::cuda::stream
