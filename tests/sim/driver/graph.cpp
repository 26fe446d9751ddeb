// Graphs: instantiated, launched, ended.
#include "tests/sim/driver/graph.h"

#include <algorithm>

#include "tests/sim/driver/on_graph.h"
#include "tests/sim/driver/on_stream.h"

using sim::Driver;
using sim::on_exec;
using sim::on_graph;
using sim::or_own;

CUgraphNode CUgraph_st::add(CUgraphNodeType type, sim::Task task, std::vector<CUgraphNode> after) {
    nodes.push_back(std::make_unique<CUgraphNode_st>(
        CUgraphNode_st{this, type, std::move(task), std::move(after)}));
    return nodes.back().get();
}

bool CUgraph_st::has(CUgraphNode node) const {
    return std::any_of(nodes.begin(), nodes.end(),
                       [node](const auto& each) { return each.get() == node; });
}

bool CUgraph_st::has_memory() const {
    return std::any_of(nodes.begin(), nodes.end(), [](const auto& each) {
        return each->allocates != nullptr || each->frees != nullptr ||
               (each->child != nullptr && each->child->has_memory());
    });
}

namespace sim {
namespace {

// The nodes one after the other: an order that every graph allows.
void add_nodes(CUgraphExec_st& exec, const CUgraph_st& graph) {
    for (const auto& node : graph.nodes) {
        if (node->child != nullptr) {
            add_nodes(exec, *node->child);
            continue;
        }
        CUcontext context = node->kernel != nullptr ? node->kernel->parameters.ctx : nullptr;
        exec.nodes.push_back({node.get(), node->task, context});
        if (node->allocates != nullptr) exec.allocates.push_back(node->allocates);
        const bool of_another = node->frees != nullptr && node->frees->graph != &graph;
        if (of_another) exec.frees.push_back(node->frees);
    }
}

CUresult check(CUgraph graph, cuuint64_t flags) {
    constexpr cuuint64_t kApart =
        CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH;
    if (graph->parent != nullptr || (flags & kApart) == kApart) return CUDA_ERROR_INVALID_VALUE;
    return graph->exec == nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult run(Driver& driver, CUgraphExec exec, CUstream stream) {
    CUresult result = driver.enqueue(stream, {[] {}});
    for (const ExecNode& node : exec->nodes) {
        if (result == CUDA_SUCCESS) result = driver.enqueue(stream, node.task);
    }
    return result;
}

// As long as the nodes are of the same kinds one after the other. A graph with memory must not have
// an executable graph of its own.
CUresult update(Driver& driver, CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResult& why) {
    why = CU_GRAPH_EXEC_UPDATE_ERROR;
    if (driver.graphs.count(graph) == 0 || graph->parent != nullptr) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    CUgraphExec_st updated{graph, exec->flags};
    add_nodes(updated, *graph);
    why = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    if (updated.nodes.size() != exec->nodes.size()) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    why = CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
    for (std::size_t i = 0; i < updated.nodes.size(); ++i) {
        if (updated.nodes[i].task.node != exec->nodes[i].task.node) {
            return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
        }
    }
    why = CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED;
    if (graph->exec != nullptr && graph->exec != exec) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    why = CU_GRAPH_EXEC_UPDATE_SUCCESS;
    exec->nodes = std::move(updated.nodes);
    exec->allocates = std::move(updated.allocates);
    exec->frees = std::move(updated.frees);
    if (exec->use != nullptr) exec->use = use_of(driver, exec->allocates);
    return CUDA_SUCCESS;
}

// The graph's memory is its own until here.
void remember(CUgraphExec exec, CUstream stream) {
    exec->use->stream = stream;
    exec->use->last = stream->tail;
}

CUresult run_with_memory(Driver& driver, CUgraphExec exec, CUstream stream) {
    if (stream->capture != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const bool frees = (exec->flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH) != 0;
    if (!frees && has_unfreed(driver, exec)) return CUDA_ERROR_INVALID_VALUE;
    std::vector<UnfreedPtr> freed;
    for (const GraphAllocationPtr& each : exec->frees) {
        freed.push_back(find_unfreed(driver, each->block->address));
        if (freed.back() == nullptr) return CUDA_ERROR_INVALID_VALUE;
    }
    CUresult result = back_with_memory(driver, exec, stream);
    if (result == CUDA_SUCCESS) result = run(driver, exec, stream);
    if (result != CUDA_SUCCESS) return result;
    if (frees) free_all(driver, exec);
    begin_allocations(driver, exec);
    for (const UnfreedPtr& each : freed) {
        each->freeing = true;
        driver.enqueue(stream, {[&driver, each] { end_allocation(driver, each); }});
    }
    remember(exec, stream);
    return CUDA_SUCCESS;
}

CUresult launch(const char* symbol, CUgraphExec exec, CUstream handle) {
    return on_stream(symbol, handle, [exec](Driver& driver, CUstream stream, auto&) {
        if (driver.execs.count(exec) == 0) return CUDA_ERROR_INVALID_VALUE;
        return exec->use != nullptr ? run_with_memory(driver, exec, stream)
                                    : run(driver, exec, stream);
    });
}

CUresult upload(Driver& driver, CUgraphExec exec, CUstream stream) {
    if (stream->capture != nullptr) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    CUresult result = driver.enqueue(stream, {[] {}});
    if (result != CUDA_SUCCESS || exec->use == nullptr) return result;
    result = back_with_memory(driver, exec, stream);
    if (result == CUDA_SUCCESS) remember(exec, stream);
    return result;
}

CUresult upload(const char* symbol, CUgraphExec exec, CUstream handle) {
    return on_stream(symbol, handle, [exec](Driver& driver, CUstream stream, auto&) {
        return driver.execs.count(exec) != 0 ? upload(driver, exec, stream)
                                             : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult make_exec(const char* symbol, CUgraphExec* exec, CUgraph graph, cuuint64_t flags) {
    return on_graph(symbol, graph, [=](Driver& driver) {
        const CUresult result = exec != nullptr ? check(graph, flags) : CUDA_ERROR_INVALID_VALUE;
        if (result == CUDA_SUCCESS) *exec = instantiate(driver, graph, flags);
        return result;
    });
}

CUresult make_exec(const char* symbol, CUgraphExec* exec, CUgraph graph,
                   CUDA_GRAPH_INSTANTIATE_PARAMS* parameters, bool own) {
    if (parameters == nullptr) {
        Call call(symbol);
        return call.driver() == nullptr ? call.done() : call.done(CUDA_ERROR_INVALID_VALUE);
    }
    parameters->hErrNode_out = nullptr;
    parameters->result_out = CUDA_GRAPH_INSTANTIATE_ERROR;
    CUresult result = make_exec(symbol, exec, graph, parameters->flags);
    if (result == CUDA_SUCCESS && (parameters->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) != 0) {
        CUstream stream = parameters->hUploadStream;
        result = upload("cuGraphUpload", *exec, own ? or_own(stream) : stream);
        if (result != CUDA_SUCCESS) cuGraphExecDestroy(*exec);
    }
    if (result == CUDA_SUCCESS) parameters->result_out = CUDA_GRAPH_INSTANTIATE_SUCCESS;
    return result;
}

}  // namespace

bool reaches(const std::vector<CUgraphNode>& last, CUgraphNode node) {
    return std::any_of(last.begin(), last.end(), [node](CUgraphNode each) {
        return each == node || reaches(each->after, node);
    });
}

CUgraphExec instantiate(Driver& driver, CUgraph graph, cuuint64_t flags) {
    CUgraphExec exec = new CUgraphExec_st{graph, flags};
    add_nodes(*exec, *graph);
    if (graph->has_memory()) {
        graph->exec = exec;
        exec->use = use_of(driver, exec->allocates);
    }
    driver.execs.insert(exec);
    return exec;
}

void destroy_graph(Driver& driver, CUgraph graph) {
    for (CUgraphExec exec : driver.execs) {
        if (exec->graph == graph) exec->graph = nullptr;
    }
    for (const auto& node : graph->nodes) {
        if (node->child != nullptr) driver.graphs.erase(node->child.get());
    }
    driver.graphs.erase(graph);
    if (graph->parent == nullptr) delete graph;
}

}  // namespace sim

CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long flags) {
    return sim::make_exec("cuGraphInstantiateWithFlags", exec, graph, flags);
}
CUresult cuGraphInstantiate(CUgraphExec* exec, CUgraph graph, CUgraphNode*, char*, std::size_t) {
    return sim::make_exec("cuGraphInstantiate", exec, graph, 0);
}
CUresult cuGraphInstantiate_v2(CUgraphExec* exec, CUgraph graph, CUgraphNode*, char*, std::size_t) {
    return sim::make_exec("cuGraphInstantiate_v2", exec, graph, 0);
}
CUresult cuGraphInstantiateWithParams(CUgraphExec* exec, CUgraph graph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS* parameters) {
    return sim::make_exec("cuGraphInstantiateWithParams", exec, graph, parameters, false);
}
CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec* exec, CUgraph graph,
                                           CUDA_GRAPH_INSTANTIATE_PARAMS* parameters) {
    return sim::make_exec("cuGraphInstantiateWithParams_ptsz", exec, graph, parameters, true);
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    return sim::launch("cuGraphLaunch", exec, stream);
}
CUresult cuGraphLaunch_ptsz(CUgraphExec exec, CUstream stream) {
    return sim::launch("cuGraphLaunch_ptsz", exec, or_own(stream));
}
CUresult cuGraphUpload(CUgraphExec exec, CUstream stream) {
    return sim::upload("cuGraphUpload", exec, stream);
}
CUresult cuGraphUpload_ptsz(CUgraphExec exec, CUstream stream) {
    return sim::upload("cuGraphUpload_ptsz", exec, or_own(stream));
}

CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode* error,
                           CUgraphExecUpdateResult* why) {
    return on_exec("cuGraphExecUpdate", exec, [=](Driver& driver) {
        if (error == nullptr || why == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *error = nullptr;
        return sim::update(driver, exec, graph, *why);
    });
}
CUresult cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo* why) {
    return on_exec("cuGraphExecUpdate_v2", exec, [=](Driver& driver) {
        if (why == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *why = {};
        return sim::update(driver, exec, graph, why->result);
    });
}

// What it allocated and nobody has freed stays.
CUresult cuGraphExecDestroy(CUgraphExec exec) {
    return on_exec("cuGraphExecDestroy", exec, [exec](Driver& driver) {
        if (exec->graph != nullptr && exec->use != nullptr) exec->graph->exec = nullptr;
        for (const sim::UnfreedPtr& each : driver.unfreed) {
            if (each->exec == exec) each->exec = nullptr;
        }
        driver.execs.erase(exec);
        delete exec;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphDestroy(CUgraph graph) {
    return on_graph("cuGraphDestroy", graph, [graph](Driver& driver) {
        if (graph->parent != nullptr) return CUDA_ERROR_INVALID_VALUE;
        sim::destroy_graph(driver, graph);
        return CUDA_SUCCESS;
    });
}
