#include "tests/sim/driver/occupancy.h"

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/launch.h"
#include "tests/sim/driver/module.h"

using sim::Call;
using sim::Driver;

namespace sim {
namespace {

// In co-scheduled groups that the context has whole.
unsigned grouped_sms(const CUctx_st& context) {
    if (context.grain.step < kGroup) return 0;
    const int device = Driver::get()->at(context.device).gpu->sm_count;
    const SmSplit made = split_sms(context.sms, context.grain, kGroup, kMostSms, device);
    return static_cast<unsigned>(made.groups.size()) * kGroup;
}

}  // namespace

unsigned largest_cluster(const CUctx_st& context) {
    constexpr unsigned kWhole = 16;
    if (context.green == nullptr) return kWhole;
    return grouped_sms(context) != 0 ? kPortableCluster : 2;
}

// Measured on 132 SMs with two blocks on each: 132, 62 and 30 clusters of 2, 4 and 8; so four of
// the 12 SMs outside groups hold clusters of 4.
unsigned active_clusters(const CUctx_st& context, unsigned size, unsigned threads) {
    if (size == 0 || size > largest_cluster(context)) return 0;
    unsigned sms = static_cast<unsigned>(context.usable_sms);
    if (size > 2) {
        const bool more = context.green == nullptr && size <= 4;
        sms = std::min(sms, grouped_sms(context) + (more ? 4 : 0));
    }
    return sms * blocks_per_sm(threads) / size;
}

}  // namespace sim

namespace {

// Runs `use(context)` if the function is one and there is a context.
template <typename Use>
CUresult on_function(const char* symbol, CUfunction function, Use&& use) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    CUresult result{};
    CUcontext context = driver->usable_context(result);
    if (context == nullptr) return call.done(result);
    if (!sim::is_function(function)) return call.done(CUDA_ERROR_INVALID_HANDLE);
    return call.done(use(*context));
}

CUresult most_blocks(const char* symbol, int* blocks, CUfunction function, int threads) {
    return on_function(symbol, function, [=](const CUctx_st&) {
        if (blocks == nullptr || threads <= 0) return CUDA_ERROR_INVALID_VALUE;
        const auto count = static_cast<unsigned>(threads);
        *blocks = count > sim::kMostThreads ? 0 : static_cast<int>(sim::blocks_per_sm(count));
        return CUDA_SUCCESS;
    });
}

// The grid is that of the current context's SMs, a green one's too (measured).
CUresult best_block(const char* symbol, int* grid, int* block, CUfunction function, int limit) {
    return on_function(symbol, function, [=](const CUctx_st& context) {
        if (grid == nullptr || block == nullptr || limit < 0) return CUDA_ERROR_INVALID_VALUE;
        const auto most = static_cast<int>(sim::kMostThreads);
        *block = limit == 0 ? most : std::min(limit, most);
        *grid = static_cast<int>(sim::blocks_per_sm(static_cast<unsigned>(*block))) *
                context.usable_sms;
        return CUDA_SUCCESS;
    });
}

}  // namespace

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads,
                                                     std::size_t) {
    return most_blocks("cuOccupancyMaxActiveBlocksPerMultiprocessor", blocks, function, threads);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, CUfunction function,
                                                              int threads, std::size_t, unsigned) {
    return most_blocks("cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags", blocks, function,
                       threads);
}

CUresult cuOccupancyMaxPotentialBlockSize(int* grid, int* block, CUfunction function,
                                          CUoccupancyB2DSize, std::size_t, int limit) {
    return best_block("cuOccupancyMaxPotentialBlockSize", grid, block, function, limit);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, CUfunction function,
                                                   CUoccupancyB2DSize, std::size_t, int limit,
                                                   unsigned) {
    return best_block("cuOccupancyMaxPotentialBlockSizeWithFlags", grid, block, function, limit);
}

CUresult cuOccupancyMaxPotentialClusterSize(int* size, CUfunction function,
                                            const CUlaunchConfig* config) {
    return on_function(
        "cuOccupancyMaxPotentialClusterSize", function, [=](const CUctx_st& context) {
            if (size == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
            const unsigned most =
                std::min(sim::largest_cluster(context), sim::cluster_limit(*function));
            *size = static_cast<int>(most);
            return CUDA_SUCCESS;
        });
}

CUresult cuOccupancyMaxActiveClusters(int* clusters, CUfunction function,
                                      const CUlaunchConfig* config) {
    return on_function("cuOccupancyMaxActiveClusters", function, [=](const CUctx_st& context) {
        if (clusters == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const sim::Shape shape = sim::shape_of(*config);
        *clusters =
            static_cast<int>(sim::active_clusters(context, shape.cluster(), shape.threads()));
        return CUDA_SUCCESS;
    });
}
