#include "tests/sim/nvml/library.h"

#include <cstdio>
#include <cstring>
#include <mutex>

#include "tests/sim/nvml/api.h"

namespace sim::nvml {
namespace {

struct Library {
    Node node;
    std::deque<nvmlDevice_st> gpus;
    std::deque<nvmlDevice_st> instances;
};

std::mutex g_mutex;
int g_uses = 0;
Library* g_library = nullptr;  // handles stay valid after a shutdown, so it is read once and kept

void read_library() {
    static auto* library = new Library;
    library->node = read_node();
    for (const Gpu& gpu : library->node.gpus) {
        const auto index = static_cast<unsigned int>(library->gpus.size());
        library->gpus.push_back({&gpu, nullptr, nullptr, index});
        for (const MigInstance& instance : gpu.instances) {
            library->instances.push_back(
                {&gpu, &instance, &library->gpus.back(), static_cast<unsigned int>(instance.slot)});
        }
    }
    g_library = library;
}

}  // namespace

nvmlReturn_t initialise() {
    const std::lock_guard<std::mutex> lock(g_mutex);
    if (g_library == nullptr) read_library();
    if (!g_library->node.error.empty()) {
        std::fprintf(stderr, "simulated libnvidia-ml: %s\n", g_library->node.error.c_str());
        return NVML_ERROR_UNKNOWN;
    }
    ++g_uses;
    return NVML_SUCCESS;
}

nvmlReturn_t shutdown() {
    const std::lock_guard<std::mutex> lock(g_mutex);
    if (g_uses == 0) return NVML_ERROR_UNINITIALIZED;
    --g_uses;
    return NVML_SUCCESS;
}

std::deque<nvmlDevice_st>* gpus() {
    const std::lock_guard<std::mutex> lock(g_mutex);
    return g_uses > 0 ? &g_library->gpus : nullptr;
}

std::deque<nvmlDevice_st>* instances() {
    const std::lock_guard<std::mutex> lock(g_mutex);
    return g_uses > 0 ? &g_library->instances : nullptr;
}

nvmlReturn_t check(nvmlDevice_t device, const void* out) {
    if (gpus() == nullptr) return NVML_ERROR_UNINITIALIZED;
    for (auto* devices : {gpus(), instances()}) {
        for (nvmlDevice_st& known : *devices) {
            if (&known == device && out != nullptr) return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t copy_text(const char* text, char* out, unsigned int size) {
    if (std::strlen(text) >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
    std::strcpy(out, text);
    return NVML_SUCCESS;
}

}  // namespace sim::nvml

nvmlReturn_t nvmlInit() { return sim::nvml::initialise(); }
nvmlReturn_t nvmlInit_v2() { return sim::nvml::initialise(); }
nvmlReturn_t nvmlInitWithFlags(unsigned int) { return sim::nvml::initialise(); }
nvmlReturn_t nvmlShutdown() { return sim::nvml::shutdown(); }

const char* nvmlErrorString(nvmlReturn_t result) {
    switch (result) {
        case NVML_SUCCESS:
            return "The operation was successful";
        case NVML_ERROR_UNINITIALIZED:
            return "Uninitialized";
        case NVML_ERROR_INVALID_ARGUMENT:
            return "Invalid Argument";
        case NVML_ERROR_NOT_SUPPORTED:
            return "Not Supported";
        case NVML_ERROR_NOT_FOUND:
            return "Not Found";
        case NVML_ERROR_INSUFFICIENT_SIZE:
            return "Insufficient Size";
        case NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
            return "Argument version mismatch";
        default:
            return "Unknown Error";
    }
}
