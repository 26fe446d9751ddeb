// Kernel launches.
#include "tests/sim/driver/kernels.h"
#include "tests/sim/driver/module.h"
#include "tests/sim/driver/occupancy.h"
#include "tests/sim/driver/on_stream.h"

using sim::Call;
using sim::Driver;
using sim::or_own;

namespace {

struct Shape {
    unsigned grid[3];
    unsigned block[3];
    unsigned blocks() const { return grid[0] * grid[1] * grid[2]; }
    unsigned threads() const { return block[0] * block[1] * block[2]; }
    bool cooperative = false;
};

// A cooperative kernel's blocks must all be there at once, on the SMs of its stream's context.
CUresult check(const Shape& shape, CUcontext context) {
    if (shape.blocks() == 0 || shape.threads() == 0 || shape.threads() > sim::kMostThreads) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    const unsigned room =
        sim::blocks_per_sm(shape.threads()) * static_cast<unsigned>(context->usable_sms);
    return shape.cooperative && shape.blocks() > room ? CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE
                                                      : CUDA_SUCCESS;
}

bool is_cooperative(const CUlaunchConfig& config) {
    for (unsigned i = 0; i < config.numAttrs; ++i) {
        const CUlaunchAttribute& each = config.attrs[i];
        if (each.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) return each.value.cooperative != 0;
    }
    return false;
}

CUresult launch(const char* symbol, CUfunction function, const Shape& shape, CUstream handle,
                void** parameters) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    if (driver->usable_context(result) == nullptr) return call.done(result);
    CUstream stream = driver->find_stream(handle, result);
    if (stream == nullptr) return call.done(result);
    if (!sim::is_function(function)) return call.done(CUDA_ERROR_INVALID_HANDLE);
    result = check(shape, stream->context);
    if (result != CUDA_SUCCESS) return call.done(result, "blocks=%u", shape.blocks());
    sim::Task task;
    result = sim::kernel_task(*driver, function->name, stream->context, shape.blocks(), parameters,
                              task);
    if (result == CUDA_SUCCESS) result = driver->enqueue(stream, std::move(task));
    return call.done(result, "kernel=%s blocks=%u threads=%u sms=%d", function->name.c_str(),
                     shape.blocks(), shape.threads(), stream->context->usable_sms);
}

CUresult launch(const char* symbol, const CUlaunchConfig* config, bool own, CUfunction function,
                void** parameters) {
    if (config == nullptr) {
        Call call(symbol);
        if (call.driver() == nullptr) return call.done();
        return call.done(CUDA_ERROR_INVALID_VALUE);
    }
    return launch(symbol, function,
                  {{config->gridDimX, config->gridDimY, config->gridDimZ},
                   {config->blockDimX, config->blockDimY, config->blockDimZ},
                   is_cooperative(*config)},
                  own ? or_own(config->hStream) : config->hStream, parameters);
}

}  // namespace

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                        CUstream stream, void** parameters, void**) {
    return launch("cuLaunchKernel", function,
                  {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}}, stream, parameters);
}

CUresult cuLaunchKernel_ptsz(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                             unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                             CUstream stream, void** parameters, void**) {
    return launch("cuLaunchKernel_ptsz", function,
                  {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}}, or_own(stream),
                  parameters);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** parameters,
                          void**) {
    return launch("cuLaunchKernelEx", config, false, function, parameters);
}

CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig* config, CUfunction function, void** parameters,
                               void**) {
    return launch("cuLaunchKernelEx_ptsz", config, true, function, parameters);
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned grid_x, unsigned grid_y,
                                   unsigned grid_z, unsigned block_x, unsigned block_y,
                                   unsigned block_z, unsigned, CUstream stream, void** parameters) {
    return launch("cuLaunchCooperativeKernel", function,
                  {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, true}, stream,
                  parameters);
}

CUresult cuLaunchCooperativeKernel_ptsz(CUfunction function, unsigned grid_x, unsigned grid_y,
                                        unsigned grid_z, unsigned block_x, unsigned block_y,
                                        unsigned block_z, unsigned, CUstream stream,
                                        void** parameters) {
    return launch("cuLaunchCooperativeKernel_ptsz", function,
                  {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, true}, or_own(stream),
                  parameters);
}
