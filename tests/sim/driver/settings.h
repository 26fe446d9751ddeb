// What SIM_CUDA_* variables ask of the simulated driver itself (not of its GPUs: see node/node.h).
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace sim {

struct Settings {
    std::string log_file;                             // SIM_CUDA_LOG
    std::vector<std::pair<std::string, int>> errors;  // SIM_CUDA_FAIL: symbol, CUresult
    long init_delay_us = 0;                           // SIM_CUDA_INIT_DELAY_US
    bool init_dlsym = false;                          // SIM_CUDA_INIT_DLSYM
    bool init_thread = false;                         // SIM_CUDA_INIT_THREAD

    // What this replaced: another thread may still be reading it, so it is kept.
    const Settings* previous = nullptr;

    // The error to inject into `symbol`; 0 for none.
    int injected(const char* symbol) const;
};

// Read from the environment at the first call of any entry point and again at each attempt of
// cuInit until one succeeds. Never freed: entry points may run until the very end of the process.
const Settings& settings();
void reload_settings();

}  // namespace sim
