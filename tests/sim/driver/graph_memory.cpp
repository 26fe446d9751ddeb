#include "tests/sim/driver/graph_memory.h"

#include <sys/mman.h>

#include <algorithm>

#include "tests/sim/driver/allocation.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/graph.h"
#include "tests/sim/driver/share.h"

namespace sim {
namespace {

constexpr std::uint64_t kChunk = 32 * kMiB;  // by which the pool grows
constexpr std::size_t kUnit = 512;

bool at_work(const GraphUsePtr& use) { return pending(use->last); }

std::uint64_t of(const GraphUse::Bytes& all, CUdevice device) {
    const auto found = all.find(device);
    return found != all.end() ? found->second : 0;
}

// Unfreed allocations of the device, but those of `except`.
std::uint64_t unfreed_bytes(const Driver& driver, CUdevice device, CUgraphExec except) {
    std::uint64_t bytes = 0;
    for (const UnfreedPtr& each : driver.unfreed) {
        const GraphBlock& block = *each->allocation->block;
        const bool its_own = except != nullptr && each->exec == except;
        if (block.device == device && !its_own) bytes += block.bytes;
    }
    return bytes;
}

// What is needed of the device beside a launch of `except` in `stream`: what isn't freed, and what
// graphs at work in other streams have; those of one stream come one after the other, and share.
std::uint64_t needed(const Driver& driver, CUdevice device, CUgraphExec except, CUstream stream) {
    std::map<CUstream, std::uint64_t> by_stream;
    for (const GraphUsePtr& use : driver.graph_uses) {
        if (!at_work(use) || use->stream == stream) continue;
        if (except != nullptr && use == except->use) continue;
        std::uint64_t& most = by_stream[use->stream];
        most = std::max(most, of(use->passing, device));
    }
    std::uint64_t bytes = unfreed_bytes(driver, device, except);
    for (const auto& [each, most] : by_stream) bytes += most;
    return bytes;
}

CUresult reserve(Driver& driver, CUdevice device, std::uint64_t bytes) {
    GraphPool& pool = driver.at(device).graphs;
    if (bytes <= pool.reserved) return CUDA_SUCCESS;
    const std::uint64_t wanted = round_up(bytes, kChunk);
    const CUresult result = driver.charge(device, wanted - pool.reserved);
    if (result != CUDA_SUCCESS) return result;
    pool.reserved = wanted;
    pool.reserved_high = std::max(pool.reserved_high, wanted);
    return CUDA_SUCCESS;
}

// Those of executable graphs that are destroyed and done.
void forget_ended_uses(Driver& driver) {
    std::erase_if(driver.graph_uses,
                  [](const GraphUsePtr& use) { return use.use_count() == 1 && !at_work(use); });
}

// Whether a block that another allocation has is free for one that comes after those nodes.
bool is_free(const GraphBlock& block, const std::vector<CUgraphNode>& after) {
    const GraphAllocationPtr latest = block.latest.lock();
    if (latest == nullptr || latest->freed_by == nullptr) return false;
    return std::any_of(after.begin(), after.end(),
                       [&](CUgraphNode each) { return reaches({each}, latest->freed_by); });
}

GraphBlockPtr block_for(Driver& driver, CUgraph graph, const std::vector<CUgraphNode>& after,
                        CUdevice device, std::size_t bytes) {
    for (const GraphBlockPtr& each : graph->blocks) {
        if (each->device == device && each->bytes >= bytes && is_free(*each, after)) return each;
    }
    auto made = std::make_shared<GraphBlock>(driver, device, bytes);
    if (made->address == 0) return nullptr;
    graph->blocks.push_back(made);
    return made;
}

}  // namespace

GraphBlock::GraphBlock(Driver& its_driver, CUdevice its_device, std::size_t its_bytes)
    : driver(its_driver), device(its_device), bytes(its_bytes) {
    const std::size_t mapped = whole_pages(bytes);
    void* const memory = map_host(mapped);
    if (memory == nullptr) return;
    address = reinterpret_cast<CUdeviceptr>(memory);
    driver.graph_blocks[address] = this;
    driver.allocations[address] = {MemoryKind::Graph, device, nullptr, bytes, 0, 0, mapped};
}

GraphBlock::~GraphBlock() {
    if (address == 0) return;
    munmap(reinterpret_cast<void*>(address), whole_pages(bytes));
    driver.allocations.erase(address);
    driver.graph_blocks.erase(address);
}

CUresult new_allocation(Driver& driver, CUgraph graph, const std::vector<CUgraphNode>& after,
                        CUDA_MEM_ALLOC_NODE_PARAMS& parameters, GraphAllocationPtr& made) {
    const CUdevice device = parameters.poolProps.location.id;
    if (parameters.bytesize > driver.at(device).memory) return CUDA_ERROR_OUT_OF_MEMORY;
    const std::size_t bytes = round_up(parameters.bytesize, kUnit);
    const GraphBlockPtr block = block_for(driver, graph, after, device, bytes);
    if (block == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    parameters.dptr = block->address;
    made = std::make_shared<GraphAllocation>(GraphAllocation{block, parameters, graph});
    block->latest = made;
    return CUDA_SUCCESS;
}

CUresult freed_in_graph(Driver& driver, CUgraph graph, CUdeviceptr address,
                        GraphAllocationPtr& freed) {
    const auto found = driver.graph_blocks.find(address);
    if (found == driver.graph_blocks.end()) return CUDA_ERROR_INVALID_VALUE;
    freed = found->second->latest.lock();
    if (freed == nullptr || freed->freed_by != nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (freed->graph == graph) {
        return freed->freed_elsewhere ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    }
    const bool twice = std::any_of(graph->nodes.begin(), graph->nodes.end(),
                                   [&](const auto& node) { return node->frees == freed; });
    return twice ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

void free_by(const GraphAllocationPtr& freed, CUgraphNode node) {
    node->frees = freed;
    if (freed->graph == node->graph) {
        freed->freed_by = node;
    } else {
        freed->freed_elsewhere = true;
    }
}

UnfreedPtr find_unfreed(const Driver& driver, CUdeviceptr address) {
    for (const UnfreedPtr& each : driver.unfreed) {
        if (each->allocation->block->address == address && !each->freeing) return each;
    }
    return nullptr;
}

void end_allocation(Driver& driver, const UnfreedPtr& allocation) {
    const UnfreedPtr kept = allocation;  // may be the list's own
    std::erase(driver.unfreed, kept);
}

GraphUsePtr use_of(Driver& driver, const std::vector<GraphAllocationPtr>& allocations) {
    const auto use = std::make_shared<GraphUse>();
    std::map<const GraphBlock*, bool> passing;  // the block's last allocation is freed
    for (const GraphAllocationPtr& each : allocations) {
        passing[each->block.get()] = each->freed_by != nullptr;
    }
    for (const auto& [block, freed] : passing) {
        use->bytes[block->device] += block->bytes;
        if (freed) use->passing[block->device] += block->bytes;
    }
    driver.graph_uses.push_back(use);
    return use;
}

CUresult back_with_memory(Driver& driver, CUgraphExec exec, CUstream stream) {
    forget_ended_uses(driver);
    for (const auto& [device, bytes] : exec->use->bytes) {
        const CUresult result =
            reserve(driver, device, needed(driver, device, exec, stream) + bytes);
        if (result != CUDA_SUCCESS) return result;
    }
    exec->use->mapped = true;
    for (const auto& [device, bytes] : exec->use->bytes) {
        GraphPool& pool = driver.at(device).graphs;
        pool.used_high = std::max(pool.used_high, graph_memory_used(driver, device));
    }
    return CUDA_SUCCESS;
}

void begin_allocations(Driver& driver, CUgraphExec exec) {
    for (const GraphAllocationPtr& each : exec->allocates) {
        if (each->freed_by != nullptr) continue;
        driver.unfreed.push_back(std::make_shared<Unfreed>(Unfreed{each, exec}));
    }
}

bool has_unfreed(const Driver& driver, CUgraphExec exec) {
    return std::any_of(driver.unfreed.begin(), driver.unfreed.end(),
                       [exec](const auto& each) { return each->exec == exec && !each->freeing; });
}

void free_all(Driver& driver, CUgraphExec exec) {
    std::erase_if(driver.unfreed, [exec](const auto& each) { return each->exec == exec; });
}

std::uint64_t graph_memory_used(const Driver& driver, CUdevice device) {
    std::uint64_t bytes = 0;
    for (const GraphUsePtr& use : driver.graph_uses) {
        if (use->mapped) bytes += of(use->bytes, device);
    }
    bytes = std::max(bytes, unfreed_bytes(driver, device, nullptr));
    return std::min(bytes, driver.devices[static_cast<std::size_t>(device)].graphs.reserved);
}

void trim_graph_memory(Driver& driver, CUdevice device) {
    forget_ended_uses(driver);
    GraphPool& pool = driver.at(device).graphs;
    const std::uint64_t rest = round_up(needed(driver, device, nullptr, nullptr), kChunk);
    if (rest >= pool.reserved) return;
    driver.at(device).used -= pool.reserved - rest;
    pool.reserved = rest;
    for (const GraphUsePtr& use : driver.graph_uses) {
        if (!at_work(use)) use->mapped = false;
    }
}

}  // namespace sim
