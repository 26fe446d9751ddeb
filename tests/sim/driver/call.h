// One call of an entry point: injected errors and the call log.
#pragma once
#include "tests/sim/driver/api.h"
#include "tests/sim/driver/settings.h"

namespace sim {

class Driver;

class Call {
  public:
    explicit Call(const char* symbol) : symbol_(symbol), settings_(settings()) {
        if (!settings_.errors.empty()) result_ = static_cast<CUresult>(settings_.injected(symbol));
    }

    // True if an error is injected into this call: then return done().
    bool failed() const { return result_ != CUDA_SUCCESS; }

    // The initialised driver, or null: then return done(), which answers the injected error,
    // or CUDA_ERROR_NOT_INITIALIZED before cuInit and in a child forked after it.
    Driver* driver();

    // Writes the log line and hands the result on. `format` gives the interesting arguments.
    CUresult done(CUresult result, const char* format, ...) __attribute__((format(printf, 3, 4)));
    CUresult done(CUresult result) {
        return settings_.log_file.empty() ? result : done(result, "%s", "");
    }
    CUresult done() { return done(result_); }

  private:
    const char* symbol_;
    const Settings& settings_;
    CUresult result_ = CUDA_SUCCESS;
};

// One more line of the log, for what happens within a call.
void log_line(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace sim
