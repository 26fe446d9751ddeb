// The small languages inside a policy's strings: shares, sizes, devices. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shim/policy/policy.h"

namespace ration::policy {

// A value, or what is wrong: `"140%" is above 100%; allowed: ...`, to be put after the key's name.
template <typename T>
struct Reading {
    std::optional<T> value;
    std::string error;
};

inline constexpr const char* kShareAllowed =
    R"(a share above 0% and at most 100%, such as "25%", "12.5%" or "1/3")";
inline constexpr const char* kMemoryAllowed =
    R"(a size of at least 1 MiB, such as "10GiB" (or MiB, TiB, K, M, G, T; MB and GB are decimal), or "25%")";
inline constexpr const char* kDeviceAllowed =
    R"(an index such as 0, "visible:0", "GPU-<UUID>" or a PCI address such as "0000:17:00.0")";
inline constexpr const char* kMigAllowed = R"("MIG-<UUID>" as nvidia-smi -L lists it)";

inline constexpr const char* kCuMaskAllowed =
    R"(CUs by shader engine, such as { 0 = "0x0f", 1 = "0x7f" })";
inline constexpr const char* kEngineAllowed = "the number of a shader engine, 0 to 63";
inline constexpr const char* kEngineBitsAllowed =
    R"(hexadecimal such as "0x0f", bit 0 for the first CU of the shader engine, at most 64 bits)";

inline constexpr unsigned kMaxDeviceIndex = 1023;
inline constexpr unsigned kMostSms = 65535;  // far above any GPU

// What percentages and units that come of fractions may be off by: a third of 132 is 43.99999... in
// binary.
inline constexpr double kRoundingError = 1e-6;
inline constexpr unsigned kMaxEngine = 63;

// Percent of a device's SMs, from "25%", "12.5%" or "1/3".
Reading<double> parse_share(std::string_view text);

// "10GiB", "512MiB", "1.5G" (binary), "10GB" (decimal), "25%".
Reading<Memory> parse_memory(std::string_view text);

// "visible:0", "GPU-...", "0000:17:00.0", and "0" too if `bare_index`.
Reading<DeviceSelector> parse_device(std::string_view text, bool bare_index);

DeviceSelector device_at(unsigned index);

Reading<std::string> parse_mig(std::string_view text);

inline constexpr unsigned kMostCus = 1024;  // of a mask: max_num_cus in the kernel's kfd_chardev.c

// "0" of cu_mask = { 0 = "0x0f" }.
Reading<unsigned> parse_engine(std::string_view text);

// "0x0f" of it; no bit at all is a value too.
Reading<std::uint64_t> parse_engine_bits(std::string_view text);

// "0=0x0f,1=0x7f".
Reading<EngineMasks> parse_cu_mask(std::string_view text);

inline constexpr const char* kNameAllowed = "1 to 64 letters, digits, - and _";

// Whether a partition or a pool may be called that.
bool is_name(std::string_view text);

// Digits alone, of a number that fits; nullopt otherwise.
std::optional<unsigned> parse_unsigned(std::string_view text);

}  // namespace ration::policy
