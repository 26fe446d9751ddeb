#include "tests/sim/kfd/kernel.h"

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "tests/sim/kfd/log.h"

namespace sim::kfd {
namespace {

std::atomic<Kernel*> g_kernel{nullptr};
// Never waited for in a forked child: it is made anew there.
std::mutex* g_making = new std::mutex;

std::string variable(const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : otherwise;
}

void forget_parent() {
    g_making = new std::mutex;
    g_kernel.store(nullptr);
}

Kernel* make() {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget_parent); });
    auto* kernel = new Kernel(variable("SIM_KFD_GPUS", "mi210"), variable("SIM_KFD_FAIL", ""));
    // A mistake must not be taken for a node without a GPU.
    for (const std::string& error : {kernel->node.error, kernel->faults.error()}) {
        if (error.empty()) continue;
        std::fprintf(stderr, "%s\n", error.c_str());
        std::abort();
    }
    Fields gpus = Fields::array();
    for (const Gpu& gpu : kernel->node.gpus) {
        gpus.push_back({{"model", gpu.model->key},
                        {"cus", gpu.layout.total()},
                        {"xccs", gpu.layout.xccs},
                        {"pairs", gpu.layout.pairs},
                        {"engines", gpu.layout.cus},
                        {"vram", gpu.vram}});
    }
    log("start", {{"hardware", "simulated kernel driver, no AMD hardware"}, {"gpus", gpus}});
    return kernel;
}

}  // namespace

Kernel& Kernel::get() {
    Kernel* kernel = g_kernel.load(std::memory_order_acquire);
    if (kernel != nullptr) return *kernel;
    const std::lock_guard lock(*g_making);
    kernel = g_kernel.load(std::memory_order_acquire);
    if (kernel == nullptr) {
        kernel = make();
        g_kernel.store(kernel, std::memory_order_release);
    }
    return *kernel;
}

Kernel::Kernel(const std::string& gpus, const std::string& faults_text)
    : node(parse_node(gpus)),
      faults(faults_text),
      devices(node.gpus.size()),
      memory(node, devices),
      queues(node, devices, memory, events) {}

}  // namespace sim::kfd
