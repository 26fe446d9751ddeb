#include "tests/sim/driver/launch.h"

#include "tests/sim/driver/kernels.h"
#include "tests/sim/driver/module.h"
#include "tests/sim/driver/occupancy.h"
#include "tests/sim/driver/on_stream.h"

using sim::Call;
using sim::Driver;
using sim::or_own;

using sim::Shape;

namespace sim {

// A cooperative kernel's blocks must all be there at once, on the SMs of its stream's context, and
// those of a cluster on SMs that are scheduled together.
CUresult check_launch(const Shape& shape, const CUfunc_st& function, const CUctx_st& context) {
    if (shape.blocks() == 0 || shape.threads() == 0 || shape.threads() > kMostThreads) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    const unsigned room =
        blocks_per_sm(shape.threads()) * static_cast<unsigned>(context.usable_sms);
    if (shape.cooperative && shape.blocks() > room) {
        return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
    }
    if (shape.cluster() == 1) return CUDA_SUCCESS;
    for (int i = 0; i < 3; ++i) {
        if (shape.clusters[i] == 0 || shape.grid[i] % shape.clusters[i] != 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    const unsigned most = std::min(cluster_limit(function), largest_cluster(context));
    return shape.cluster() <= most ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CLUSTER_SIZE;
}

unsigned cluster_limit(const CUfunc_st& function) {
    constexpr unsigned kLarge = 16;
    return function.large_clusters ? kLarge : kPortableCluster;
}

Shape shape_of(const CUlaunchConfig& config) {
    Shape shape{{config.gridDimX, config.gridDimY, config.gridDimZ},
                {config.blockDimX, config.blockDimY, config.blockDimZ}};
    for (unsigned i = 0; i < config.numAttrs; ++i) {
        const CUlaunchAttribute& each = config.attrs[i];
        if (each.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) {
            shape.cooperative = each.value.cooperative != 0;
        } else if (each.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
            shape.clusters[0] = each.value.clusterDim.x;
            shape.clusters[1] = each.value.clusterDim.y;
            shape.clusters[2] = each.value.clusterDim.z;
        }
    }
    return shape;
}

Shape shape_of(const CUDA_KERNEL_NODE_PARAMS& node) {
    return {{node.gridDimX, node.gridDimY, node.gridDimZ},
            {node.blockDimX, node.blockDimY, node.blockDimZ}};
}

}  // namespace sim

namespace {

CUDA_KERNEL_NODE_PARAMS node_of(CUfunction function, const Shape& shape, CUcontext context,
                                void** parameters) {
    CUDA_KERNEL_NODE_PARAMS node{};
    node.func = function;
    node.gridDimX = shape.grid[0];
    node.gridDimY = shape.grid[1];
    node.gridDimZ = shape.grid[2];
    node.blockDimX = shape.block[0];
    node.blockDimY = shape.block[1];
    node.blockDimZ = shape.block[2];
    node.kernelParams = parameters;
    node.ctx = context;
    return node;
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
    result = sim::check_launch(shape, *function, *stream->context);
    if (result != CUDA_SUCCESS) return call.done(result, "blocks=%u", shape.blocks());
    sim::Task task;
    result = sim::kernel_task(*driver, function->name, stream->context, shape.blocks(), parameters,
                              task);
    if (result == CUDA_SUCCESS) result = driver->enqueue(stream, std::move(task));
    if (result == CUDA_SUCCESS && stream->capture != nullptr) {
        sim::note_kernel(stream->captured.front(),
                         node_of(function, shape, stream->context, parameters));
    }
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
    return launch(symbol, function, sim::shape_of(*config),
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
