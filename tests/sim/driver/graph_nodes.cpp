// Graphs that are built: their nodes, and what can be asked of them.
#include <map>

#include "tests/sim/driver/on_graph.h"

using sim::Driver;
using sim::on_graph;
using sim::on_node;

namespace {

// What a new node is given: where it stands.
struct Place {
    CUgraphNode* node;
    CUgraph graph;
    const CUgraphNode* after;
    std::size_t count;

    std::vector<CUgraphNode> before() const { return {after, after + count}; }
    bool valid() const {
        if (node == nullptr || (count != 0 && after == nullptr)) return false;
        std::vector<CUgraphNode> all = before();
        std::sort(all.begin(), all.end());
        return std::adjacent_find(all.begin(), all.end()) == all.end() &&
               std::all_of(all.begin(), all.end(),
                           [this](CUgraphNode each) { return graph->has(each); });
    }
    CUgraphNode add(CUgraphNodeType type) const {
        return *node = graph->add(type, {[] {}, nullptr, nullptr, type}, before());
    }
};

CUresult add_empty(const Place& place) {
    place.add(CU_GRAPH_NODE_TYPE_EMPTY);
    return CUDA_SUCCESS;
}

CUresult add_allocation(Driver& driver, const Place& place,
                        CUDA_MEM_ALLOC_NODE_PARAMS* parameters) {
    if (parameters == nullptr || place.graph->parent != nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUmemPoolProps& wanted = parameters->poolProps;
    if (wanted.allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
        wanted.location.type != CU_MEM_LOCATION_TYPE_DEVICE || !driver.valid(wanted.location.id) ||
        wanted.handleTypes != CU_MEM_HANDLE_TYPE_NONE || parameters->bytesize == 0) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    sim::GraphAllocationPtr made;
    const CUresult result =
        sim::new_allocation(driver, place.graph, place.before(), *parameters, made);
    if (result == CUDA_SUCCESS) place.add(CU_GRAPH_NODE_TYPE_MEM_ALLOC)->allocates = made;
    return result;
}

CUresult add_free(Driver& driver, const Place& place, CUdeviceptr address) {
    if (place.graph->parent != nullptr) return CUDA_ERROR_INVALID_VALUE;
    sim::GraphAllocationPtr freed;
    const CUresult result = sim::freed_in_graph(driver, place.graph, address, freed);
    if (result == CUDA_SUCCESS) sim::free_by(freed, place.add(CU_GRAPH_NODE_TYPE_MEM_FREE));
    return result;
}

std::unique_ptr<CUgraph_st> copy_of(Driver& driver, const CUgraph_st& graph) {
    auto copy = std::make_unique<CUgraph_st>();
    std::map<CUgraphNode, CUgraphNode> copies;
    for (const auto& node : graph.nodes) {
        std::vector<CUgraphNode> after;
        for (CUgraphNode each : node->after) after.push_back(copies[each]);
        CUgraphNode made = copy->add(node->type, node->task, std::move(after));
        copies[node.get()] = made;
        if (node->kernel != nullptr) sim::note_kernel(made, node->kernel->parameters);
        if (node->child == nullptr) continue;
        made->child = copy_of(driver, *node->child);
        made->child->parent = copy.get();
    }
    driver.graphs.insert(copy.get());
    return copy;
}

CUresult add_child(Driver& driver, const Place& place, CUgraph child, bool moved) {
    if (driver.graphs.count(child) == 0 || child == place.graph || child->parent != nullptr) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (moved ? child->exec != nullptr : child->has_memory()) return CUDA_ERROR_INVALID_VALUE;
    CUgraphNode node = place.add(CU_GRAPH_NODE_TYPE_GRAPH);
    node->child = moved ? std::unique_ptr<CUgraph_st>(child) : copy_of(driver, *child);
    node->child->parent = place.graph;
    return CUDA_SUCCESS;
}

// What has no function of its own here isn't imitated.
CUresult add_any(Driver& driver, const Place& place, CUgraphNodeParams* parameters) {
    if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    switch (parameters->type) {
        case CU_GRAPH_NODE_TYPE_EMPTY:
            return add_empty(place);
        case CU_GRAPH_NODE_TYPE_GRAPH:
            return add_child(driver, place, parameters->graph.graph,
                             parameters->graph.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE);
        case CU_GRAPH_NODE_TYPE_MEM_FREE:
            return add_free(driver, place, parameters->free.dptr);
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC: {
            CUDA_MEM_ALLOC_NODE_PARAMS wanted{};
            wanted.poolProps = parameters->alloc.poolProps;
            wanted.bytesize = parameters->alloc.bytesize;
            const CUresult result = add_allocation(driver, place, &wanted);
            parameters->alloc.dptr = wanted.dptr;
            return result;
        }
        default:
            return CUDA_ERROR_NOT_SUPPORTED;
    }
}

template <typename Add>
CUresult add(const char* symbol, const Place& place, Add&& add_node) {
    return on_graph(symbol, place.graph, [&](Driver& driver) {
        return place.valid() ? add_node(driver) : CUDA_ERROR_INVALID_VALUE;
    });
}

}  // namespace

CUresult cuGraphCreate(CUgraph* graph, unsigned flags) {
    return sim::if_valid(
        "cuGraphCreate", [=](Driver&) { return graph != nullptr && flags == 0; },
        [graph](Driver& driver) {
            *graph = new CUgraph_st;
            driver.graphs.insert(*graph);
            return CUDA_SUCCESS;
        });
}

CUresult cuGraphClone(CUgraph* clone, CUgraph graph) {
    return on_graph("cuGraphClone", graph, [=](Driver& driver) {
        if (clone == nullptr || graph->has_memory()) return CUDA_ERROR_INVALID_VALUE;
        *clone = copy_of(driver, *graph).release();
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphAddEmptyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                             std::size_t count) {
    const Place place{node, graph, after, count};
    return add("cuGraphAddEmptyNode", place, [&](Driver&) { return add_empty(place); });
}
CUresult cuGraphAddChildGraphNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                                  std::size_t count, CUgraph child) {
    const Place place{node, graph, after, count};
    return add("cuGraphAddChildGraphNode", place,
               [&](Driver& driver) { return add_child(driver, place, child, false); });
}
CUresult cuGraphAddMemAllocNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                                std::size_t count, CUDA_MEM_ALLOC_NODE_PARAMS* parameters) {
    const Place place{node, graph, after, count};
    return add("cuGraphAddMemAllocNode", place,
               [&](Driver& driver) { return add_allocation(driver, place, parameters); });
}
CUresult cuGraphAddMemFreeNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                               std::size_t count, CUdeviceptr address) {
    const Place place{node, graph, after, count};
    return add("cuGraphAddMemFreeNode", place,
               [&](Driver& driver) { return add_free(driver, place, address); });
}
CUresult cuGraphAddNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                        std::size_t count, CUgraphNodeParams* parameters) {
    const Place place{node, graph, after, count};
    return add("cuGraphAddNode", place,
               [&](Driver& driver) { return add_any(driver, place, parameters); });
}
CUresult cuGraphAddNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* after,
                           const CUgraphEdgeData*, std::size_t count,
                           CUgraphNodeParams* parameters) {
    const Place place{node, graph, after, count};
    return add("cuGraphAddNode_v2", place,
               [&](Driver& driver) { return add_any(driver, place, parameters); });
}

// Documented: not of a graph with memory.
CUresult cuGraphDestroyNode(CUgraphNode node) {
    return on_node("cuGraphDestroyNode", node, [node](Driver& driver) {
        CUgraph graph = node->graph;
        if (graph->has_memory() || driver.graphs.count(graph) == 0) return CUDA_ERROR_INVALID_VALUE;
        for (const auto& each : graph->nodes) std::erase(each->after, node);
        if (node->child != nullptr) sim::destroy_graph(driver, node->child.get());
        std::erase_if(graph->nodes, [node](const auto& each) { return each.get() == node; });
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, std::size_t* count) {
    return on_graph("cuGraphGetNodes", graph, [=](Driver&) {
        if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        for (std::size_t i = 0; nodes != nullptr && i < *count; ++i) {
            nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
        }
        if (nodes == nullptr || *count > graph->nodes.size()) *count = graph->nodes.size();
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType* type) {
    return on_node("cuGraphNodeGetType", node, [=](Driver&) {
        if (type == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *type = node->type;
        return CUDA_SUCCESS;
    });
}
CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph* graph) {
    return on_node("cuGraphChildGraphNodeGetGraph", node, [=](Driver&) {
        if (graph == nullptr || node->child == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *graph = node->child.get();
        return CUDA_SUCCESS;
    });
}
CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS* parameters) {
    return on_node("cuGraphMemAllocNodeGetParams", node, [=](Driver&) {
        if (parameters == nullptr || node->allocates == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *parameters = node->allocates->parameters;
        return CUDA_SUCCESS;
    });
}
CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr* address) {
    return on_node("cuGraphMemFreeNodeGetParams", node, [=](Driver&) {
        if (address == nullptr || node->frees == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *address = node->frees->block->address;
        return CUDA_SUCCESS;
    });
}
