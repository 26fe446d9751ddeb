// Nodes of graphs that name a context. A kernel node that names the primary context runs on all of
// the device's SMs, and a conditional one is refused beside nodes of a home (both measured: H100,
// driver 580.159.04): the driver is given the home, and the program is told the primary.
#include "shim/cuda/real.h"
#include "shim/engine/green_course.h"
#include "shim/engine/green_hooks.h"

namespace ration {
namespace {

using cuda::real;
using engine::GreenCourse;

CUcontext inside(CUcontext context) { return engine::inhabited(context); }

CUcontext outside(CUcontext context) {
    GreenCourse* const course = GreenCourse::active();
    return course == nullptr ? context : course->homes().told(context);
}

// The program's parameters, which are never written to, with the home in them.
template <class Parameters>
class Inside {
  public:
    explicit Inside(const Parameters* given) : given_(given) {
        if (given == nullptr || inside(given->ctx) == given->ctx) return;
        copy_ = *given;
        copy_.ctx = inside(given->ctx);
        given_ = &copy_;
    }
    const Parameters* get() const { return given_; }

  private:
    const Parameters* given_;
    Parameters copy_{};
};

template <class Parameters>
CUresult told(CUresult result, Parameters* parameters) {
    if (result == CUDA_SUCCESS && parameters != nullptr) {
        parameters->ctx = outside(parameters->ctx);
    }
    return result;
}

// Where parameters of any type have their context; null: they have none.
CUcontext* context_of(CUgraphNodeParams& parameters) {
    switch (parameters.type) {
        case CU_GRAPH_NODE_TYPE_KERNEL:
            return &parameters.kernel.ctx;
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            return &parameters.memcpy.copyCtx;
        case CU_GRAPH_NODE_TYPE_MEMSET:
            return &parameters.memset.ctx;
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            return &parameters.memOp.ctx;
        case CU_GRAPH_NODE_TYPE_CONDITIONAL:
            return &parameters.conditional.ctx;
        default:
            return nullptr;
    }
}

// The driver writes into these too: the graphs of a conditional node, the address of an allocation.
template <class Call>
CUresult with_node(CUgraphNodeParams* parameters, Call call) {
    CUcontext* const given = parameters == nullptr ? nullptr : context_of(*parameters);
    if (given == nullptr || inside(*given) == *given) return call(parameters);
    CUgraphNodeParams copy = *parameters;
    *context_of(copy) = inside(*given);
    const CUresult result = call(&copy);
    *context_of(copy) = *given;
    *parameters = copy;
    return result;
}

}  // namespace

CUresult green_hook::cuGraphAddKernelNode_v2(CUgraphNode* node, CUgraph graph,
                                             const CUgraphNode* dependencies, size_t count,
                                             const CUDA_KERNEL_NODE_PARAMS* parameters) {
    return real<Hook::cuGraphAddKernelNode_v2>()(node, graph, dependencies, count,
                                                 Inside(parameters).get());
}

CUresult green_hook::cuGraphKernelNodeGetParams_v2(CUgraphNode node,
                                                   CUDA_KERNEL_NODE_PARAMS* parameters) {
    return told(real<Hook::cuGraphKernelNodeGetParams_v2>()(node, parameters), parameters);
}

CUresult green_hook::cuGraphKernelNodeSetParams_v2(CUgraphNode node,
                                                   const CUDA_KERNEL_NODE_PARAMS* parameters) {
    return real<Hook::cuGraphKernelNodeSetParams_v2>()(node, Inside(parameters).get());
}

CUresult green_hook::cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                                       const CUDA_KERNEL_NODE_PARAMS* parameters) {
    return real<Hook::cuGraphExecKernelNodeSetParams_v2>()(exec, node, Inside(parameters).get());
}

CUresult green_hook::cuGraphAddMemcpyNode(CUgraphNode* node, CUgraph graph,
                                          const CUgraphNode* dependencies, size_t count,
                                          const CUDA_MEMCPY3D* copy, CUcontext context) {
    return real<Hook::cuGraphAddMemcpyNode>()(node, graph, dependencies, count, copy,
                                              inside(context));
}

CUresult green_hook::cuGraphAddMemsetNode(CUgraphNode* node, CUgraph graph,
                                          const CUgraphNode* dependencies, size_t count,
                                          const CUDA_MEMSET_NODE_PARAMS* fill, CUcontext context) {
    return real<Hook::cuGraphAddMemsetNode>()(node, graph, dependencies, count, fill,
                                              inside(context));
}

CUresult green_hook::cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                                    const CUDA_MEMCPY3D* copy, CUcontext context) {
    return real<Hook::cuGraphExecMemcpyNodeSetParams>()(exec, node, copy, inside(context));
}

CUresult green_hook::cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                                    const CUDA_MEMSET_NODE_PARAMS* fill,
                                                    CUcontext context) {
    return real<Hook::cuGraphExecMemsetNodeSetParams>()(exec, node, fill, inside(context));
}

CUresult green_hook::cuGraphConditionalHandleCreate(CUgraphConditionalHandle* handle, CUgraph graph,
                                                    CUcontext context, unsigned int value,
                                                    unsigned int flags) {
    return real<Hook::cuGraphConditionalHandleCreate>()(handle, graph, inside(context), value,
                                                        flags);
}

CUresult green_hook::cuGraphAddBatchMemOpNode(CUgraphNode* node, CUgraph graph,
                                              const CUgraphNode* dependencies, size_t count,
                                              const CUDA_BATCH_MEM_OP_NODE_PARAMS* parameters) {
    return real<Hook::cuGraphAddBatchMemOpNode>()(node, graph, dependencies, count,
                                                  Inside(parameters).get());
}

CUresult green_hook::cuGraphBatchMemOpNodeGetParams(CUgraphNode node,
                                                    CUDA_BATCH_MEM_OP_NODE_PARAMS* parameters) {
    return told(real<Hook::cuGraphBatchMemOpNodeGetParams>()(node, parameters), parameters);
}

CUresult green_hook::cuGraphBatchMemOpNodeSetParams(
    CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS* parameters) {
    return real<Hook::cuGraphBatchMemOpNodeSetParams>()(node, Inside(parameters).get());
}

CUresult green_hook::cuGraphExecBatchMemOpNodeSetParams(
    CUgraphExec exec, CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS* parameters) {
    return real<Hook::cuGraphExecBatchMemOpNodeSetParams>()(exec, node, Inside(parameters).get());
}

CUresult green_hook::cuGraphAddNode(CUgraphNode* node, CUgraph graph,
                                    const CUgraphNode* dependencies, size_t count,
                                    CUgraphNodeParams* parameters) {
    return with_node(parameters, [&](CUgraphNodeParams* given) {
        return real<Hook::cuGraphAddNode>()(node, graph, dependencies, count, given);
    });
}

CUresult green_hook::cuGraphAddNode_v2(CUgraphNode* node, CUgraph graph,
                                       const CUgraphNode* dependencies,
                                       const CUgraphEdgeData* edges, size_t count,
                                       CUgraphNodeParams* parameters) {
    return with_node(parameters, [&](CUgraphNodeParams* given) {
        return real<Hook::cuGraphAddNode_v2>()(node, graph, dependencies, edges, count, given);
    });
}

CUresult green_hook::cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams* parameters) {
    return with_node(parameters, [&](CUgraphNodeParams* given) {
        return real<Hook::cuGraphNodeSetParams>()(node, given);
    });
}

CUresult green_hook::cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                              CUgraphNodeParams* parameters) {
    return with_node(parameters, [&](CUgraphNodeParams* given) {
        return real<Hook::cuGraphExecNodeSetParams>()(exec, node, given);
    });
}

}  // namespace ration
