// A driver library's exports against the list of hooks.
#pragma once

#include <string>
#include <vector>

namespace ration::tool {

struct DriverAudit {
    std::vector<std::string> hooked;   // on the list and exported
    std::vector<std::string> missing;  // on the list, not in this driver: an older or newer one
    // Makes or takes a context, is exported, and is not on the list: a program that uses it gets
    // round the share. Empty for every driver that ration knows.
    std::vector<std::string> unhooked;
    // Exported, and later than the cuda.h that the lists were made from: it may take a stream, or
    // memory, that nobody here knows of.
    std::vector<std::string> unknown;
    // Like `unhooked`, but harmless, and why.
    struct Harmless {
        std::string symbol;
        std::string why;
    };
    std::vector<Harmless> harmless;
    std::size_t exported = 0;  // entry points in all
};

// Failure(kFailed) if the file can't be read or exports no cuInit, so is no CUDA driver.
DriverAudit audit_driver(const std::string& file);

// For tests: the same for a list of names.
DriverAudit audit_symbols(const std::vector<std::string>& exported);

}  // namespace ration::tool
