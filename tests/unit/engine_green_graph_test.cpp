// Nodes of graphs that name the primary context: the driver is given the home, the program is told
// the primary, and what the program wrote stays as it is.
#include <gtest/gtest.h>

#include <map>

#include "shim/cuda/real.h"
#include "shim/engine/green_course.h"
#include "shim/engine/green_hooks.h"

namespace ration {
namespace {

CUcontext handle(std::uintptr_t number) { return reinterpret_cast<CUcontext>(number); }

const CUcontext kPrimary = handle(0x10);
const CUcontext kHome = handle(0x20);
const CUcontext kOther = handle(0x30);

CUcontext seen;              // by the driver
CUcontext answer;            // of the driver's, where it tells parameters
constexpr int kWritten = 7;  // by the driver, where it writes into the program's parameters

using Kernel = CUDA_KERNEL_NODE_PARAMS;
using Batch = CUDA_BATCH_MEM_OP_NODE_PARAMS;

CUresult see(CUcontext context) {
    seen = context;
    return CUDA_SUCCESS;
}

CUcontext* context_of(CUgraphNodeParams& of) {
    switch (of.type) {
        case CU_GRAPH_NODE_TYPE_KERNEL:
            return &of.kernel.ctx;
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            return &of.memcpy.copyCtx;
        case CU_GRAPH_NODE_TYPE_MEMSET:
            return &of.memset.ctx;
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            return &of.memOp.ctx;
        default:
            return &of.conditional.ctx;
    }
}

CUresult see_node(CUgraphNodeParams* of) {
    if (of->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) {
        of->alloc.dptr = kWritten;
        return CUDA_SUCCESS;
    }
    if (of->type == CU_GRAPH_NODE_TYPE_CONDITIONAL) of->conditional.size = kWritten;
    return see(*context_of(*of));
}

template <class Parameters>
CUresult tell(Parameters* of) {
    of->ctx = answer;
    return CUDA_SUCCESS;
}

template <Hook hook>
std::pair<const Hook, void*> row(cuda::Entry<hook> function) {
    return {hook, reinterpret_cast<void*>(function)};
}

using N = CUgraphNode;
using G = CUgraph;
using X = CUgraphExec;

void* driver_function(std::uint32_t hook) {
    static const std::map<Hook, void*> functions{
        row<Hook::cuGraphAddKernelNode_v2>(
            [](N*, G, const N*, size_t, const Kernel* of) { return see(of->ctx); }),
        row<Hook::cuGraphKernelNodeGetParams_v2>([](N, Kernel* of) { return tell(of); }),
        row<Hook::cuGraphKernelNodeSetParams_v2>([](N, const Kernel* of) { return see(of->ctx); }),
        row<Hook::cuGraphExecKernelNodeSetParams_v2>(
            [](X, N, const Kernel* of) { return see(of->ctx); }),
        row<Hook::cuGraphAddMemcpyNode>([](N*, G, const N*, size_t, const CUDA_MEMCPY3D*,
                                           CUcontext context) { return see(context); }),
        row<Hook::cuGraphAddMemsetNode>([](N*, G, const N*, size_t, const CUDA_MEMSET_NODE_PARAMS*,
                                           CUcontext context) { return see(context); }),
        row<Hook::cuGraphExecMemcpyNodeSetParams>(
            [](X, N, const CUDA_MEMCPY3D*, CUcontext context) { return see(context); }),
        row<Hook::cuGraphExecMemsetNodeSetParams>(
            [](X, N, const CUDA_MEMSET_NODE_PARAMS*, CUcontext context) { return see(context); }),
        row<Hook::cuGraphConditionalHandleCreate>([](CUgraphConditionalHandle*, G,
                                                     CUcontext context, unsigned,
                                                     unsigned) { return see(context); }),
        row<Hook::cuGraphAddBatchMemOpNode>(
            [](N*, G, const N*, size_t, const Batch* of) { return see(of->ctx); }),
        row<Hook::cuGraphBatchMemOpNodeGetParams>([](N, Batch* of) { return tell(of); }),
        row<Hook::cuGraphBatchMemOpNodeSetParams>([](N, const Batch* of) { return see(of->ctx); }),
        row<Hook::cuGraphExecBatchMemOpNodeSetParams>(
            [](X, N, const Batch* of) { return see(of->ctx); }),
        row<Hook::cuGraphAddNode>(
            [](N*, G, const N*, size_t, CUgraphNodeParams* of) { return see_node(of); }),
        row<Hook::cuGraphAddNode_v2>([](N*, G, const N*, const CUgraphEdgeData*, size_t,
                                        CUgraphNodeParams* of) { return see_node(of); }),
        row<Hook::cuGraphNodeSetParams>([](N, CUgraphNodeParams* of) { return see_node(of); }),
        row<Hook::cuGraphExecNodeSetParams>(
            [](X, N, CUgraphNodeParams* of) { return see_node(of); }),
    };
    const auto found = functions.find(static_cast<Hook>(hook));
    return found == functions.end() ? nullptr : found->second;
}

// A device of which the process has four groups, and its primary context with its home.
class GreenGraph : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        static ration_front front{};
        front.real = [](std::uint32_t) -> void* { return nullptr; };
        front.find = [](std::uint32_t, const char*) -> void* { return nullptr; };
        cuda::Plan plan;
        plan.green.emplace();
        auto* const course = new engine::GreenCourse(front, plan);
        cuda::green::Part part;
        part.layout.total = 132;
        part.layout.groups.resize(15);
        part.need.count = 4;
        course->adopt({part});
        course->homes().know_primary(0, kPrimary);
        course->homes().begin(0, kHome);
        cuda::look_up_by(&driver_function);
    }

    template <class Parameters>
    static Parameters in(CUcontext context) {
        Parameters made{};
        made.ctx = context;
        return made;
    }

    // What the driver sees where the program names `context`; also whether its own is untouched.
    template <class Parameters, class Call>
    static CUcontext through(CUcontext context, Call call) {
        seen = nullptr;
        const auto given = in<Parameters>(context);
        EXPECT_EQ(call(&given), CUDA_SUCCESS);
        EXPECT_EQ(given.ctx, context);
        return seen;
    }
};

TEST_F(GreenGraph, KernelsRunInTheHome) {
    for (const auto& [named, real] : {std::pair{kPrimary, kHome}, {kOther, kOther}}) {
        EXPECT_EQ(through<Kernel>(named,
                                  [](const Kernel* of) {
                                      return green_hook::cuGraphAddKernelNode_v2(nullptr, nullptr,
                                                                                 nullptr, 0, of);
                                  }),
                  real);
        EXPECT_EQ(through<Kernel>(named,
                                  [](const Kernel* of) {
                                      return green_hook::cuGraphKernelNodeSetParams_v2(nullptr, of);
                                  }),
                  real);
        EXPECT_EQ(through<Kernel>(named,
                                  [](const Kernel* of) {
                                      return green_hook::cuGraphExecKernelNodeSetParams_v2(
                                          nullptr, nullptr, of);
                                  }),
                  real);
    }
}

TEST_F(GreenGraph, BatchesOfMemoryOperationsToo) {
    EXPECT_EQ(through<Batch>(kPrimary,
                             [](const Batch* of) {
                                 return green_hook::cuGraphAddBatchMemOpNode(nullptr, nullptr,
                                                                             nullptr, 0, of);
                             }),
              kHome);
    EXPECT_EQ(through<Batch>(kPrimary,
                             [](const Batch* of) {
                                 return green_hook::cuGraphBatchMemOpNodeSetParams(nullptr, of);
                             }),
              kHome);
    EXPECT_EQ(through<Batch>(kPrimary,
                             [](const Batch* of) {
                                 return green_hook::cuGraphExecBatchMemOpNodeSetParams(nullptr,
                                                                                       nullptr, of);
                             }),
              kHome);
}

TEST_F(GreenGraph, ParametersAreToldWithThePrimary) {
    for (const auto& [real, told] : {std::pair{kHome, kPrimary}, {kOther, kOther}}) {
        answer = real;
        Kernel kernel{};
        EXPECT_EQ(green_hook::cuGraphKernelNodeGetParams_v2(nullptr, &kernel), CUDA_SUCCESS);
        EXPECT_EQ(kernel.ctx, told);
        Batch batch{};
        EXPECT_EQ(green_hook::cuGraphBatchMemOpNodeGetParams(nullptr, &batch), CUDA_SUCCESS);
        EXPECT_EQ(batch.ctx, told);
    }
}

TEST_F(GreenGraph, AContextAmongTheArgumentsIsTheHome) {
    EXPECT_EQ(green_hook::cuGraphAddMemcpyNode(nullptr, nullptr, nullptr, 0, nullptr, kPrimary),
              CUDA_SUCCESS);
    EXPECT_EQ(std::exchange(seen, nullptr), kHome);
    green_hook::cuGraphAddMemsetNode(nullptr, nullptr, nullptr, 0, nullptr, kPrimary);
    EXPECT_EQ(std::exchange(seen, nullptr), kHome);
    green_hook::cuGraphExecMemcpyNodeSetParams(nullptr, nullptr, nullptr, kPrimary);
    EXPECT_EQ(std::exchange(seen, nullptr), kHome);
    green_hook::cuGraphExecMemsetNodeSetParams(nullptr, nullptr, nullptr, kPrimary);
    EXPECT_EQ(std::exchange(seen, nullptr), kHome);
    green_hook::cuGraphConditionalHandleCreate(nullptr, nullptr, kPrimary, 0, 0);
    EXPECT_EQ(std::exchange(seen, nullptr), kHome);
}

TEST_F(GreenGraph, NodesOfAnyTypeAreInTheHome) {
    const auto calls = {
        +[](CUgraphNodeParams* of) {
            return green_hook::cuGraphAddNode(nullptr, nullptr, nullptr, 0, of);
        },
        +[](CUgraphNodeParams* of) {
            return green_hook::cuGraphAddNode_v2(nullptr, nullptr, nullptr, nullptr, 0, of);
        },
        +[](CUgraphNodeParams* of) { return green_hook::cuGraphNodeSetParams(nullptr, of); },
        +[](CUgraphNodeParams* of) {
            return green_hook::cuGraphExecNodeSetParams(nullptr, nullptr, of);
        },
    };
    for (const auto call : calls) {
        for (const auto type :
             {CU_GRAPH_NODE_TYPE_KERNEL, CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_MEMSET,
              CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, CU_GRAPH_NODE_TYPE_CONDITIONAL}) {
            CUgraphNodeParams given{};
            given.type = type;
            *context_of(given) = kPrimary;
            seen = nullptr;
            EXPECT_EQ(call(&given), CUDA_SUCCESS);
            EXPECT_EQ(seen, kHome) << type;
            EXPECT_EQ(*context_of(given), kPrimary) << type;
        }
    }
}

TEST_F(GreenGraph, WhatTheDriverWritesReachesTheProgram) {
    CUgraphNodeParams conditional{};
    conditional.type = CU_GRAPH_NODE_TYPE_CONDITIONAL;
    conditional.conditional.ctx = kPrimary;
    green_hook::cuGraphAddNode(nullptr, nullptr, nullptr, 0, &conditional);
    EXPECT_EQ(conditional.conditional.size, static_cast<unsigned>(kWritten));
    CUgraphNodeParams allocation{};
    allocation.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
    green_hook::cuGraphAddNode(nullptr, nullptr, nullptr, 0, &allocation);
    EXPECT_EQ(allocation.alloc.dptr, static_cast<CUdeviceptr>(kWritten));
}

}  // namespace
}  // namespace ration
