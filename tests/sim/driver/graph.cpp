// Graphs that came from a capture: instantiated, launched, ended.
#include <algorithm>

#include "tests/sim/driver/on_stream.h"

using sim::Call;
using sim::Driver;
using sim::or_own;

namespace {

// Runs `use(driver)` if `all(driver)` has the handle.
template <typename Handle, typename Use>
CUresult on_handle(const char* symbol, std::set<Handle> Driver::*all, Handle handle, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if ((driver->*all).count(handle) == 0) return call.done(CUDA_ERROR_INVALID_VALUE);
    return call.done(use(*driver));
}

// The nodes one after the other: an order that every graph allows.
CUresult launch(const char* symbol, CUgraphExec exec, CUstream handle) {
    return sim::on_stream(symbol, handle, [exec](Driver& driver, CUstream stream, auto&) {
        if (driver.execs.count(exec) == 0) return CUDA_ERROR_INVALID_VALUE;
        CUresult result = driver.enqueue(stream, {[] {}});
        for (const sim::Task& task : exec->tasks) {
            if (result == CUDA_SUCCESS) result = driver.enqueue(stream, task);
        }
        return result;
    });
}

}  // namespace

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, std::size_t* count) {
    return on_handle("cuGraphGetNodes", &Driver::graphs, graph, [=](Driver&) {
        if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        for (std::size_t i = 0; nodes != nullptr && i < *count; ++i) {
            nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
        }
        if (nodes == nullptr || *count > graph->nodes.size()) *count = graph->nodes.size();
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long) {
    return on_handle("cuGraphInstantiateWithFlags", &Driver::graphs, graph, [=](Driver& driver) {
        if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *exec = new CUgraphExec_st;
        for (const auto& node : graph->nodes) (*exec)->tasks.push_back(node->task);
        driver.execs.insert(*exec);
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    return launch("cuGraphLaunch", exec, stream);
}
CUresult cuGraphLaunch_ptsz(CUgraphExec exec, CUstream stream) {
    return launch("cuGraphLaunch_ptsz", exec, or_own(stream));
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
    return on_handle("cuGraphExecDestroy", &Driver::execs, exec, [exec](Driver& driver) {
        driver.execs.erase(exec);
        delete exec;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphDestroy(CUgraph graph) {
    return on_handle("cuGraphDestroy", &Driver::graphs, graph, [graph](Driver& driver) {
        driver.graphs.erase(graph);
        delete graph;
        return CUDA_SUCCESS;
    });
}
