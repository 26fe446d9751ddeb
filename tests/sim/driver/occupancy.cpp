#include "tests/sim/driver/occupancy.h"

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/driver.h"
#include "tests/sim/driver/module.h"

using sim::Call;
using sim::Driver;

namespace {

CUresult most_blocks(const char* symbol, int* blocks, CUfunction function, int threads) {
    Call call(symbol);
    Driver* driver = call.driver();
    if (driver == nullptr) return call.done();
    const std::lock_guard<std::mutex> lock(driver->mutex);
    if (!sim::is_function(function)) return call.done(CUDA_ERROR_INVALID_HANDLE);
    if (blocks == nullptr || threads <= 0) return call.done(CUDA_ERROR_INVALID_VALUE);
    const auto count = static_cast<unsigned>(threads);
    *blocks = count > sim::kMostThreads ? 0 : static_cast<int>(sim::blocks_per_sm(count));
    return call.done(CUDA_SUCCESS, "threads=%d blocks=%d", threads, *blocks);
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
