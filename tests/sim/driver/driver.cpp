#include "tests/sim/driver/driver.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "tests/sim/driver/call.h"
#include "tests/sim/driver/share.h"

namespace sim {
namespace {

std::atomic<Driver*> g_driver{nullptr};
std::atomic<bool> g_forked{false};

void in_forked_child() {
    if (Driver* driver = g_driver.load()) {
        driver->mps.abandon();
        g_forked = true;
    }
}

const char* variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "(unset)";
}

void log_environment() {
    log_line("environment CUDA_VISIBLE_DEVICES=%s", variable("CUDA_VISIBLE_DEVICES"));
    for (const char* name : {"CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
                             "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "CUDA_MPS_CLIENT_PRIORITY"}) {
        log_line("environment %s=%s", name, variable(name));
    }
}

}  // namespace

Driver* Driver::get() {
    if (g_forked.load(std::memory_order_relaxed)) return nullptr;
    return g_driver.load(std::memory_order_acquire);
}

CUresult Driver::initialise() {
    if (g_forked) return CUDA_ERROR_NOT_INITIALIZED;
    log_environment();
    auto driver = std::make_unique<Driver>();
    const CUresult result = driver->read_environment();
    if (result != CUDA_SUCCESS) return result;
    pthread_atfork(nullptr, nullptr, in_forked_child);
    g_driver.store(driver.release(), std::memory_order_release);
    return CUDA_SUCCESS;
}

CUresult Driver::read_environment() {
    node = read_node();
    if (!node.error.empty()) {
        std::fprintf(stderr, "simulated libcuda: %s\n", node.error.c_str());
        return CUDA_ERROR_SYSTEM_NOT_READY;
    }
    std::vector<VisibleDevice> visible;
    CUresult result = visible_devices(node, std::getenv("CUDA_VISIBLE_DEVICES"), visible);
    if (result != CUDA_SUCCESS) return result;
    result = mps.open();
    if (result != CUDA_SUCCESS) return result;
    mps_enabled = mps.connected();
    if (mps_enabled) {
        const char* priority = std::getenv("CUDA_MPS_CLIENT_PRIORITY");
        client_priority = priority != nullptr ? std::atoi(priority) : 0;
    }
    for (const VisibleDevice& each : visible) add_device(each);
    if (mps_enabled) apply_limits();
    return CUDA_SUCCESS;
}

void Driver::add_device(const VisibleDevice& visible) {
    const Gpu& gpu = node.gpus[visible.gpu];
    Device device{gpu.name, gpu.uuid, gpu.uuid, &gpu, gpu.sm_count, 0, gpu.memory, std::nullopt};
    if (visible.instance) {
        const MigInstance& instance = gpu.instances[*visible.instance];
        device.name += " MIG " + instance.profile;
        device.uuid = instance.uuid;
        device.sm_total = instance.sm_count;
        device.memory = instance.memory;
    }
    device.sm_granted = device.sm_total;
    if (mps_enabled) {
        const double asked = parse_percentage(std::getenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"));
        device.sm_granted = granted_sms(device.sm_total, std::min(asked, mps.percentage()));
    }
    devices.push_back(std::move(device));
}

void Driver::apply_limits() {
    const auto narrow = [](Device& device, std::uint64_t bytes) {
        device.limit = std::min(device.limit.value_or(bytes), bytes);
    };
    // The daemon counts all the node's GPUs, the client those that it sees.
    const std::vector<std::size_t> order = cuda_order(node);
    for (const MemoryLimit& ceiling : mps.limits()) {
        const auto index = static_cast<std::size_t>(std::atoi(ceiling.device.c_str()));
        for (Device& device : devices) {
            if (index < order.size() && device.gpu == &node.gpus[order[index]]) {
                narrow(device, ceiling.bytes);
            }
        }
    }
    const char* text = std::getenv("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT");
    std::vector<std::pair<Device*, std::uint64_t>> own;
    for (const MemoryLimit& limit : parse_memory_limits(text != nullptr ? text : "")) {
        Device* target = nullptr;
        for (std::size_t i = 0; i < devices.size(); ++i) {
            if (limit.device == std::to_string(i) || limit.device == devices[i].uuid) {
                target = &devices[i];
            }
        }
        if (target == nullptr) return;  // one device that isn't there voids the whole list
        own.emplace_back(target, limit.bytes);
    }
    for (const auto& [device, bytes] : own) narrow(*device, bytes);
}

}  // namespace sim
