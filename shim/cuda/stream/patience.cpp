#include "shim/cuda/stream/patience.h"

#include <time.h>

namespace ration::cuda::stream {

std::int64_t now_ns() {
    constexpr std::int64_t kSecond = 1'000'000'000;
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace ration::cuda::stream
