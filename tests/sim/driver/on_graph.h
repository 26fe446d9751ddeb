// Entry points about graphs: under the driver's lock, and with a handle that names something.
#pragma once
#include <algorithm>
#include <mutex>
#include <utility>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"

namespace sim {

// Runs `use(driver)` if `valid(driver)`.
template <typename Valid, typename Use>
CUresult if_valid(const char* symbol, Valid&& valid, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    return call.done(valid(*driver) ? use(*driver) : CUDA_ERROR_INVALID_VALUE);
}

template <typename Use>
CUresult on_graph(const char* symbol, CUgraph graph, Use&& use) {
    return if_valid(
        symbol, [=](Driver& driver) { return driver.graphs.count(graph) != 0; }, use);
}

template <typename Use>
CUresult on_exec(const char* symbol, CUgraphExec exec, Use&& use) {
    return if_valid(
        symbol, [=](Driver& driver) { return driver.execs.count(exec) != 0; }, use);
}

// A node of a graph that is done, or of one that is being captured.
template <typename Use>
CUresult on_node(const char* symbol, CUgraphNode node, Use&& use) {
    const auto known = [=](Driver& driver) {
        const auto has = [=](const CUgraph_st* graph) { return graph->has(node); };
        return std::any_of(driver.graphs.begin(), driver.graphs.end(), has) ||
               std::any_of(driver.captures.begin(), driver.captures.end(),
                           [&](const CapturePtr& each) { return has(each->graph); });
    };
    return if_valid(symbol, known, use);
}

}  // namespace sim
