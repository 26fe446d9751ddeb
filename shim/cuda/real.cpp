#include "shim/cuda/real.h"

namespace ration::cuda {
namespace {

std::atomic<void* (*)(std::uint32_t)> finder{nullptr};

}  // namespace

void* detail::look_up(Hook hook) {
    const auto find = finder.load(std::memory_order_acquire);
    void* const found = find != nullptr ? find(static_cast<std::uint32_t>(hook)) : nullptr;
    real_functions[static_cast<unsigned>(hook)].store(found, std::memory_order_relaxed);
    return found;
}

void look_up_by(void* (*find)(std::uint32_t hook)) {
    if (finder.exchange(find, std::memory_order_acq_rel) == find) return;
    for (auto& known : detail::real_functions) known.store(nullptr, std::memory_order_relaxed);
}

}  // namespace ration::cuda
