// Graphs, whether captured or built: their nodes, and what can be launched of them. Everything is
// guarded by the driver's mutex.
#pragma once
#include <memory>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/graph_memory.h"
#include "tests/sim/driver/work.h"

// The handles' types are cuda.h's, so they live outside the namespace.
struct CUgraphNode_st {
    CUgraph graph;
    CUgraphNodeType type;
    sim::Task task;
    std::vector<CUgraphNode> after = {};
    sim::GraphAllocationPtr allocates = nullptr;  // an allocation node
    sim::GraphAllocationPtr frees = nullptr;      // a free node
    std::unique_ptr<CUgraph_st> child = nullptr;  // a child graph's node
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
    std::vector<sim::Task> tasks = {};
    std::vector<sim::GraphAllocationPtr> allocates = {};
    std::vector<sim::GraphAllocationPtr> frees = {};  // other graphs' allocations
    sim::GraphUsePtr use = nullptr;
};

namespace sim {

class Driver;

// Whether `node` is one of `last`, or comes before one of them.
bool reaches(const std::vector<CUgraphNode>& last, CUgraphNode node);
CUgraphExec instantiate(Driver& driver, CUgraph graph, cuuint64_t flags);
void destroy_graph(Driver& driver, CUgraph graph);

}  // namespace sim
