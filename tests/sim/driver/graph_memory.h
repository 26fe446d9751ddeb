// Memory that graphs allocate: address space from the node on, the device's memory from a launch
// on, out of a pool that keeps it until it is trimmed. Everything is guarded by the driver's mutex.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/work.h"

namespace sim {

class Driver;
struct GraphAllocation;
using GraphAllocationPtr = std::shared_ptr<GraphAllocation>;

// Address space of one or, where they can't be alive at once, several allocations of a graph. It
// ends with the last of the nodes, executable graphs and unfreed memory that have it.
struct GraphBlock {
    GraphBlock(Driver& driver, CUdevice device, std::size_t bytes);
    ~GraphBlock();
    GraphBlock(const GraphBlock&) = delete;

    Driver& driver;
    const CUdevice device;
    const std::size_t bytes;
    CUdeviceptr address = 0;                  // 0: there was none
    std::weak_ptr<GraphAllocation> latest{};  // of those that have it
};
using GraphBlockPtr = std::shared_ptr<GraphBlock>;

// What an allocation node stands for.
struct GraphAllocation {
    GraphBlockPtr block;
    CUDA_MEM_ALLOC_NODE_PARAMS parameters;
    CUgraph graph;                   // that owns it
    CUgraphNode freed_by = nullptr;  // a node of the same graph
    bool freed_elsewhere = false;    // another graph has a node that does
};

// An allocation that a launch has made, until it is freed.
struct Unfreed {
    GraphAllocationPtr allocation;
    CUgraphExec exec;      // that was launched; null once it is destroyed
    bool freeing = false;  // it is freed by what a stream comes to later
};
using UnfreedPtr = std::shared_ptr<Unfreed>;

// What an executable graph has of the devices, while it runs and afterwards.
struct GraphUse {
    using Bytes = std::map<CUdevice, std::uint64_t>;
    Bytes bytes = {};           // of its blocks
    Bytes passing = {};         // of those that it frees itself
    CUstream stream = nullptr;  // that it was launched in last
    WorkPtr last = nullptr;
    bool mapped = false;  // since its last launch nothing was trimmed of it
};
using GraphUsePtr = std::shared_ptr<GraphUse>;

// A device's memory for graphs.
struct GraphPool {
    std::uint64_t reserved = 0;  // charged to the device
    std::uint64_t reserved_high = 0;
    std::uint64_t used_high = 0;
};

// A new allocation node's allocation, in a block of the graph that is free by the time its
// predecessors are done, or a new one. CUDA_ERROR_OUT_OF_MEMORY: there is no address space.
CUresult new_allocation(Driver& driver, CUgraph graph, const std::vector<CUgraphNode>& after,
                        CUDA_MEM_ALLOC_NODE_PARAMS& parameters, GraphAllocationPtr& made);
// What a new free node of `graph` at that address frees; CUDA_ERROR_INVALID_VALUE if it may not.
CUresult freed_in_graph(Driver& driver, CUgraph graph, CUdeviceptr address,
                        GraphAllocationPtr& freed);
// That node does.
void free_by(const GraphAllocationPtr& freed, CUgraphNode node);

// The allocation at that address which a launch has made and nobody is freeing; null: none.
UnfreedPtr find_unfreed(const Driver& driver, CUdeviceptr address);
void end_allocation(Driver& driver, const UnfreedPtr& allocation);

// What an executable graph uses, by its allocations.
GraphUsePtr use_of(Driver& driver, const std::vector<GraphAllocationPtr>& allocations);
// Sees to it that the device has the memory for a launch in the stream.
CUresult back_with_memory(Driver& driver, CUgraphExec exec, CUstream stream);
// What was launched and isn't freed by itself is the program's to free.
void begin_allocations(Driver& driver, CUgraphExec exec);
bool has_unfreed(const Driver& driver, CUgraphExec exec);
void free_all(Driver& driver, CUgraphExec exec);

// What graphs that are at work, and allocations that aren't freed, need of the device.
std::uint64_t graph_memory_used(const Driver& driver, CUdevice device);
void trim_graph_memory(Driver& driver, CUdevice device);

}  // namespace sim
