// The arithmetic of MPS as the real driver does it: percentages, exec affinity, memory limits, and
// the device memory that a context takes. Pure functions; each rule's source is in
// tests/sim/README.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sim {

// CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: leading number, the rest of the text is ignored; 100 for what
// is no number, not above 0, or above 100.
double parse_percentage(const char* text);

// SMs that a client with `percentage` gets of `sm_total`.
int granted_sms(int sm_total, double percentage);

// What a context that asked for a number of SMs gets.
struct Affinity {
    int answered;  // by cuCtxGetExecAffinity
    int usable;    // SMs that its kernels run on
};
// nullopt if such a context is refused (CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY).
std::optional<Affinity> affinity(unsigned asked, int sm_granted, int sm_total);

// One device's limit as CUDA_MPS_PINNED_DEVICE_MEM_LIMIT gives it.
struct MemoryLimit {
    std::string device;  // ordinal or UUID
    std::uint64_t bytes;
};

// Entries that the driver would ignore are left out.
std::vector<MemoryLimit> parse_memory_limits(const std::string& text);

// Device memory that a context takes for itself.
std::uint64_t context_bytes(int sm_count, bool mps);
// Device memory that the MPS server takes; it counts against the device, never against a limit.
std::uint64_t server_bytes();

}  // namespace sim
