#include "shim/cuda/quota/graph_needs.h"

#include <algorithm>
#include <map>

namespace ration::cuda::quota {
namespace {

constexpr std::uint64_t kBlock = 2ULL << 20;

// Blocks from `first` to before `last`.
struct Range {
    CUdevice device;
    std::uint64_t first;
    std::uint64_t last;
    CUdeviceptr address;
};

struct Found {
    std::vector<Range> ranges;
    std::map<CUdeviceptr, int> unfreed;  // allocations without a free node, by their address
};

void add_allocation(const Calls& calls, CUgraphNode node, Found& found) {
    CUDA_MEM_ALLOC_NODE_PARAMS made{};
    if (calls.cuGraphMemAllocNodeGetParams(node, &made) != CUDA_SUCCESS) return;
    const CUmemLocation& place = made.poolProps.location;
    if (place.type != CU_MEM_LOCATION_TYPE_DEVICE || made.bytesize == 0) return;
    const CUdeviceptr last = made.dptr + (made.bytesize - 1);
    found.ranges.push_back({place.id, made.dptr / kBlock, last / kBlock + 1, made.dptr});
    ++found.unfreed[made.dptr];
}

void add_free(const Calls& calls, CUgraphNode node, Found& found) {
    CUdeviceptr freed = 0;
    if (calls.cuGraphMemFreeNodeGetParams(node, &freed) == CUDA_SUCCESS) --found.unfreed[freed];
}

void add_nodes(const Calls& calls, CUgraph graph, Found& found) {
    std::size_t count = 0;
    if (calls.cuGraphGetNodes(graph, nullptr, &count) != CUDA_SUCCESS || count == 0) return;
    std::vector<CUgraphNode> nodes(count);
    if (calls.cuGraphGetNodes(graph, nodes.data(), &count) != CUDA_SUCCESS) return;
    nodes.resize(std::min(count, nodes.size()));
    for (CUgraphNode node : nodes) {
        CUgraphNodeType type{};
        CUgraph child = nullptr;
        if (calls.cuGraphNodeGetType(node, &type) != CUDA_SUCCESS) continue;
        if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) add_allocation(calls, node, found);
        if (type == CU_GRAPH_NODE_TYPE_MEM_FREE) add_free(calls, node, found);
        if (type == CU_GRAPH_NODE_TYPE_GRAPH &&
            calls.cuGraphChildGraphNodeGetGraph(node, &child) == CUDA_SUCCESS) {
            add_nodes(calls, child, found);
        }
    }
}

// Of ranges in the order of their beginnings, each block once.
std::uint64_t span(const std::vector<Range>& ranges) {
    std::uint64_t blocks = 0;
    std::uint64_t seen = 0;
    for (const Range& range : ranges) {
        if (range.last > seen) blocks += range.last - std::max(range.first, seen);
        seen = std::max(seen, range.last);
    }
    return blocks * kBlock;
}

}  // namespace

GraphNeeds needs_of(const Calls& calls, CUgraph graph) {
    if (calls.cuGraphGetNodes == nullptr || calls.cuGraphNodeGetType == nullptr ||
        calls.cuGraphChildGraphNodeGetGraph == nullptr ||
        calls.cuGraphMemAllocNodeGetParams == nullptr ||
        calls.cuGraphMemFreeNodeGetParams == nullptr) {
        return {};
    }
    Found found;
    add_nodes(calls, graph, found);
    std::sort(found.ranges.begin(), found.ranges.end(),
              [](const Range& one, const Range& other) { return one.first < other.first; });
    std::map<CUdevice, std::vector<Range>> all;
    std::map<CUdevice, std::vector<Range>> kept;
    for (const Range& range : found.ranges) {
        all[range.device].push_back(range);
        if (found.unfreed[range.address] > 0) kept[range.device].push_back(range);
    }
    GraphNeeds needs;
    for (const auto& [device, ranges] : all) {
        needs.push_back({device, span(ranges), span(kept[device])});
    }
    return needs;
}

}  // namespace ration::cuda::quota
