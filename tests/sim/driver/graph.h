// Graphs, whether captured or built: their nodes, and what can be launched of them. Everything is
// guarded by the driver's mutex.
#pragma once
#include <memory>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/graph_memory.h"
#include "tests/sim/driver/work.h"

namespace sim {

// A kernel node's parameters, with memory of its own for those of the kernel.
struct KernelNode {
    CUDA_KERNEL_NODE_PARAMS parameters;
    CUdeviceptr value;
    void* pointers[1];
};

// A node of an executable graph.
struct ExecNode {
    CUgraphNode node;
    Task task;
    CUcontext context;  // of a kernel
};

}  // namespace sim

// The handles' types are cuda.h's, so they live outside the namespace.
struct CUgraphNode_st {
    CUgraph graph;
    CUgraphNodeType type;
    sim::Task task;
    std::vector<CUgraphNode> after = {};
    sim::GraphAllocationPtr allocates = nullptr;  // an allocation node
    sim::GraphAllocationPtr frees = nullptr;      // a free node
    std::unique_ptr<CUgraph_st> child = nullptr;  // a child graph's node
    std::unique_ptr<sim::KernelNode> kernel = nullptr;
};

struct CUgraph_st {
    // Each after those that it depends on: an order in which they can run.
    std::vector<std::unique_ptr<CUgraphNode_st>> nodes = {};
    std::vector<sim::GraphBlockPtr> blocks = {};  // that its allocations are in
    CUgraph parent = nullptr;                     // that it was moved into
    CUgraphExec exec = nullptr;                   // of a graph with memory, the only one

    CUgraphNode add(CUgraphNodeType type, sim::Task task, std::vector<CUgraphNode> after);
    bool has(CUgraphNode node) const;
    // Whether it or a child has allocation or free nodes.
    bool has_memory() const;
};

struct CUgraphExec_st {
    CUgraph graph;  // null once it is destroyed
    cuuint64_t flags;
    std::vector<sim::ExecNode> nodes = {};
    std::vector<sim::GraphAllocationPtr> allocates = {};
    std::vector<sim::GraphAllocationPtr> frees = {};  // other graphs' allocations
    sim::GraphUsePtr use = nullptr;
};

namespace sim {

class Driver;

// What a kernel node that has just been captured was launched with.
void note_kernel(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS& parameters);
// Whether `node` is one of `last`, or comes before one of them.
bool reaches(const std::vector<CUgraphNode>& last, CUgraphNode node);
CUgraphExec instantiate(Driver& driver, CUgraph graph, cuuint64_t flags);
void destroy_graph(Driver& driver, CUgraph graph);

}  // namespace sim
