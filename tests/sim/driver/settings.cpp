#include "tests/sim/driver/settings.h"

#include <atomic>
#include <cstdlib>

#include "tests/sim/node/text.h"

namespace sim {
namespace {

std::atomic<const Settings*> g_settings{nullptr};

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

Settings* read_settings() {
    auto* read = new Settings;
    read->log_file = variable("SIM_CUDA_LOG");
    read->init_delay_us = std::atol(variable("SIM_CUDA_INIT_DELAY_US").c_str());
    read->init_dlsym = variable("SIM_CUDA_INIT_DLSYM") == "1";
    read->init_thread = variable("SIM_CUDA_INIT_THREAD") == "1";
    for (const std::string& item : split(variable("SIM_CUDA_FAIL"), ',')) {
        const auto equals = item.find('=');
        if (equals != std::string::npos) {
            read->errors.emplace_back(item.substr(0, equals), std::atoi(item.c_str() + equals + 1));
        }
    }
    return read;
}

}  // namespace

int Settings::injected(const char* symbol) const {
    for (const auto& [name, error] : errors) {
        if (name == symbol) return error;
    }
    return 0;
}

const Settings& settings() {
    const Settings* now = g_settings.load(std::memory_order_acquire);
    if (now == nullptr) {
        reload_settings();
        now = g_settings.load(std::memory_order_acquire);
    }
    return *now;
}

void reload_settings() {
    Settings* next = read_settings();
    next->previous = g_settings.load(std::memory_order_acquire);
    while (!g_settings.compare_exchange_weak(next->previous, next, std::memory_order_acq_rel)) {
    }
}

}  // namespace sim
