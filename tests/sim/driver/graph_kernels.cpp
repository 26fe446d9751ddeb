// Kernel nodes: added, asked about and changed. A node runs on the SMs of the context that it
// names.
#include <cstring>

#include "tests/sim/driver/kernels.h"
#include "tests/sim/driver/launch.h"
#include "tests/sim/driver/module.h"
#include "tests/sim/driver/on_graph.h"

using sim::Driver;

namespace sim {
namespace {

// The node's own copy of the parameters, in the context that it gets, and what it does.
CUresult make(Driver& driver, const CUDA_KERNEL_NODE_PARAMS* given, CUcontext context,
              CUDA_KERNEL_NODE_PARAMS& parameters, Task& task) {
    if (given == nullptr || !is_function(given->func)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = CUDA_SUCCESS;
    if (context == nullptr) context = driver.usable_context(result);
    if (context == nullptr) return result;
    if (driver.contexts.count(context) == 0) return CUDA_ERROR_INVALID_VALUE;
    parameters = *given;
    parameters.ctx = context;
    const Shape shape = shape_of(parameters);
    result = check_launch(shape, *parameters.func, *context);
    if (result != CUDA_SUCCESS) return result;
    return kernel_task(driver, parameters.func->name, context, shape.blocks(),
                       parameters.kernelParams, task);
}

}  // namespace

void note_kernel(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS& parameters) {
    auto kernel = std::make_unique<KernelNode>(KernelNode{parameters, 0, {nullptr}});
    kernel->parameters.kernelParams = nullptr;
    if (has_parameter(parameters.func->name)) {
        std::memcpy(&kernel->value, parameters.kernelParams[0], sizeof kernel->value);
        kernel->pointers[0] = &kernel->value;
        kernel->parameters.kernelParams = kernel->pointers;
    }
    node->kernel = std::move(kernel);
}

}  // namespace sim

CUresult cuGraphAddKernelNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                                 std::size_t count, const CUDA_KERNEL_NODE_PARAMS* given) {
    return sim::on_graph("cuGraphAddKernelNode_v2", graph, [=](Driver& driver) {
        const std::vector<CUgraphNode> all(after, after + (after != nullptr ? count : 0));
        const bool known =
            std::all_of(all.begin(), all.end(), [=](CUgraphNode each) { return graph->has(each); });
        if (node == nullptr || all.size() != count || !known) return CUDA_ERROR_INVALID_VALUE;
        CUDA_KERNEL_NODE_PARAMS parameters{};
        sim::Task task;
        const CUresult result =
            sim::make(driver, given, given != nullptr ? given->ctx : nullptr, parameters, task);
        if (result != CUDA_SUCCESS) return result;
        *node = graph->add(CU_GRAPH_NODE_TYPE_KERNEL, std::move(task), all);
        sim::note_kernel(*node, parameters);
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS* parameters) {
    return sim::on_node("cuGraphKernelNodeGetParams_v2", node, [=](Driver&) {
        if (parameters == nullptr || node->kernel == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *parameters = node->kernel->parameters;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS* given) {
    return sim::on_node("cuGraphKernelNodeSetParams_v2", node, [=](Driver& driver) {
        if (given == nullptr || node->kernel == nullptr) return CUDA_ERROR_INVALID_VALUE;
        CUcontext context = given->ctx != nullptr ? given->ctx : node->kernel->parameters.ctx;
        CUDA_KERNEL_NODE_PARAMS parameters{};
        sim::Task task;
        const CUresult result = sim::make(driver, given, context, parameters, task);
        if (result != CUDA_SUCCESS) return result;
        node->task = std::move(task);
        sim::note_kernel(node, parameters);
        return CUDA_SUCCESS;
    });
}

// Measured: an executable graph's node stays in its context, whichever is named.
CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS* given) {
    return sim::on_exec("cuGraphExecKernelNodeSetParams_v2", exec, [=](Driver& driver) {
        const auto found = std::find_if(exec->nodes.begin(), exec->nodes.end(),
                                        [=](const auto& each) { return each.node == node; });
        if (found == exec->nodes.end() || found->context == nullptr) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        CUDA_KERNEL_NODE_PARAMS parameters{};
        sim::Task task;
        const CUresult result = sim::make(driver, given, found->context, parameters, task);
        if (result == CUDA_SUCCESS) found->task = std::move(task);
        return result;
    });
}
