#include "shim/cuda/verify.h"

#include <algorithm>

#include "shim/cuda/share.h"
#include "shim/policy/decide.h"

namespace ration::cuda {
namespace {

Refusal refuse(std::string line) { return {CUDA_ERROR_NOT_PERMITTED, std::move(line)}; }

std::string uuid_text(const CUuuid& uuid, bool instance) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text = instance ? "MIG-" : "GPU-";
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        const auto byte = static_cast<unsigned char>(uuid.bytes[i]);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::string read_uuid(const Driver& driver, CUdevice device, bool instance) {
    CUuuid uuid{};
    if (driver.cuDeviceGetUuid_v2 != nullptr) {
        return driver.cuDeviceGetUuid_v2(&uuid, device) == CUDA_SUCCESS ? uuid_text(uuid, instance)
                                                                        : "";
    }
    // Before CUDA 11.4: the UUID of the GPU, also for an instance.
    if (driver.cuDeviceGetUuid == nullptr) return "";
    return driver.cuDeviceGetUuid(&uuid, device) == CUDA_SUCCESS ? uuid_text(uuid, false) : "";
}

template <class Devices>
std::string list(const Devices& devices) {
    std::string text;
    for (const auto& device : devices) text += (text.empty() ? "" : ", ") + device.uuid;
    return text.empty() ? "none" : text;
}

unsigned total_of(const Plan& plan, const Totals& totals, const std::string& uuid) {
    for (const Goal& goal : plan.goals) {
        if (goal.uuid == uuid && goal.total != 0) return goal.total;
    }
    const auto found = totals.find(uuid);
    return found == totals.end() ? 0 : found->second;
}

std::uint64_t memory_of(const Plan& plan, const std::string& uuid) {
    for (const Goal& goal : plan.goals) {
        if (goal.uuid == uuid) return goal.memory;
    }
    return 0;
}

// A limit or an SM count was told for the devices that we took to be visible: another one would
// have neither. A driver that does not tell UUIDs is believed.
std::optional<Refusal> check_bound(const Plan& plan, const std::vector<Reading>& readings) {
    if (!plan.bound_to_goals) return std::nullopt;
    for (const Reading& reading : readings) {
        const bool known = std::any_of(plan.goals.begin(), plan.goals.end(),
                                       [&](const Goal& goal) { return goal.uuid == reading.uuid; });
        if (known || (reading.uuid.empty() && readings.size() == plan.goals.size())) continue;
        return refuse("the driver shows " + list(readings) + ", but SMs and memory were asked of " +
                      list(plan.goals) + ": name the devices by `device` in the policy");
    }
    return std::nullopt;
}

// Devices were narrowed: the driver must show these and in this order. A driver that does not tell
// UUIDs is believed.
std::optional<Refusal> check_devices(const Plan& plan, const std::vector<Reading>& readings) {
    if (plan.lasting.empty()) return check_bound(plan, readings);
    bool same = plan.goals.size() == readings.size();
    for (std::size_t i = 0; same && i < readings.size(); ++i) {
        const bool untold = readings[i].uuid.empty() ||
                            (plan.applied == Applied::kMig && readings[i].uuid.starts_with("GPU-"));
        same = untold || readings[i].uuid == plan.goals[i].uuid;
    }
    if (same) return std::nullopt;
    return refuse("the driver shows other devices than CUDA_VISIBLE_DEVICES=" +
                  plan.lasting.front().value + ": " + list(readings) +
                  "; was the driver initialised before libration.so was loaded? Set LD_PRELOAD "
                  "before the program starts");
}

std::string asked_units(const Plan& plan, unsigned units) {
    return percent_text(*plan.percent) + " is " + std::to_string(units) + " SMs";
}

// One device's count against the share. More than asked is the driver's doing only where it was
// asked for its minimum or less, which may be larger on other parts than ours.
std::optional<Refusal> check_count(const Plan& plan, const DeviceGrant& device, Grant& grant) {
    if (!plan.percent) return std::nullopt;
    if (device.total == 0) {
        if (*plan.percent >= 100) return std::nullopt;
        grant.notes.push_back("nobody tells how many SMs " + device.uuid +
                              " has, so its grant was not compared with the share: install the "
                              "driver's NVML library");
        return std::nullopt;
    }
    const double exact = (*plan.percent + kPercentageStep) * device.total / 100;
    const unsigned expected =
        policy::granted_units(*plan.percent, device.total, policy::kMpsGranularity);
    const std::string count = std::to_string(device.granted);
    if (device.granted > expected && device.granted == device.total) {
        return refuse("the driver ignored the share of " + percent_text(*plan.percent) + " on " +
                      device.uuid + " and gives all " + count + " SMs: run `ration doctor`");
    }
    const unsigned minimum = policy::kMpsGranularity.minimum;
    if (device.granted > exact && (expected > minimum || device.granted > exact + minimum)) {
        return refuse("the driver gives " + count + " SMs of " + device.uuid + ", but " +
                      asked_units(plan, expected) + ": run `ration doctor`");
    }
    if (device.granted > exact) {
        grant.notes.push_back("asked for less than the driver's smallest share of " + device.uuid +
                              ", " + count + " SMs");
    } else if (device.granted < expected) {
        grant.notes.push_back(asked_units(plan, expected) +
                              ": the MPS daemon has a smaller limit of its own");
    }
    return std::nullopt;
}

// Whether MPS serves the device.
std::optional<Refusal> check_served(const Plan& plan, const Reading& reading,
                                    const DeviceGrant& device, Grant& grant) {
    if (reading.mps.has_value()) {
        if (*reading.mps) return std::nullopt;
        return Refusal{CUDA_ERROR_MPS_CONNECTION_FAILED,
                       "the MPS daemon answers, but the driver runs " + reading.uuid +
                           " without it: restart the daemon (`ration mps stop`, `ration mps "
                           "ensure`), and see that it serves this GPU"};
    }
    if (plan.percent && *plan.percent < 100) {
        if (device.total == 0) {
            return refuse("this driver does not tell whether MPS serves " + reading.uuid +
                          ", and its number of SMs is unknown: update the driver");
        }
        grant.notes.push_back(
            "this driver does not tell whether MPS is in use; judged by the number of SMs");
        return std::nullopt;
    }
    grant.notes.push_back("this driver does not tell whether MPS is in use");
    return std::nullopt;
}

ContextCheck check_memory(const Driver& driver, const DeviceGrant& device, bool counted) {
    std::size_t free = 0;
    std::size_t total = 0;
    // A primary context may be current before anybody has retained it, and answers no query then:
    // libcudart sets it first and retains it afterwards (measured: CUDA 13.0).
    if (driver.cuMemGetInfo_v2(&free, &total) != CUDA_SUCCESS) return {};
    if (counted || device.memory == 0 || free >> 20 <= device.memory) return {true, std::nullopt};
    return {true, refuse("the driver ignored the memory limit of " + std::to_string(device.memory) +
                         " MiB on " + device.uuid + ": " + std::to_string(free >> 20) +
                         " MiB are free; memory limits need MPS of CUDA 11.5 or newer")};
}

ContextCheck check_affinity(const Driver& driver, const DeviceGrant& device) {
    CUexecAffinityParam affinity{};
    if (driver.cuCtxGetExecAffinity == nullptr ||
        driver.cuCtxGetExecAffinity(&affinity, CU_EXEC_AFFINITY_TYPE_SM_COUNT) != CUDA_SUCCESS ||
        affinity.param.smCount.val <= device.granted) {
        return {true, std::nullopt};
    }
    return {true, refuse("a context on " + device.uuid + " has " +
                         std::to_string(affinity.param.smCount.val) + " SMs, but the grant is " +
                         std::to_string(device.granted) + ": run `ration doctor`")};
}

}  // namespace

Readings read_devices(const Driver& driver, bool instance) {
    Readings readings;
    int count = 0;
    readings.code = driver.cuDeviceGetCount(&count);
    for (int i = 0; i < count && readings.code == CUDA_SUCCESS; ++i) {
        CUdevice device = 0;
        readings.code = driver.cuDeviceGet(&device, i);
        if (readings.code != CUDA_SUCCESS) break;
        Reading reading;
        int value = 0;
        readings.code =
            driver.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
        reading.sms = value > 0 ? static_cast<unsigned>(value) : 0;
        if (driver.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MPS_ENABLED, device) ==
            CUDA_SUCCESS) {
            reading.mps = value == 1;
        }
        reading.uuid = read_uuid(driver, device, instance);
        readings.devices.push_back(std::move(reading));
    }
    return readings;
}

Or<Grant> verify(const Plan& plan, const std::vector<Reading>& readings, const Totals& totals) {
    if (const auto refusal = check_devices(plan, readings)) return *refusal;
    const bool served = plan.applied == Applied::kMps || (plan.green && plan.green->served);
    Grant grant;
    grant.asked = plan.asked;
    grant.mechanism = name(plan.applied);
    grant.concurrent = served || plan.applied == Applied::kMig;
    grant.counted = plan.counted.has_value();
    grant.notes = plan.notes;
    bool all_served = !readings.empty();
    for (const Reading& reading : readings) {
        const DeviceGrant device{reading.uuid,
                                 reading.sms,
                                 total_of(plan, totals, reading.uuid),
                                 memory_of(plan, reading.uuid),
                                 {}};
        if (served) {
            if (const auto refusal = check_served(plan, reading, device, grant)) return *refusal;
            if (const auto refusal = check_count(plan, device, grant)) return *refusal;
        }
        all_served &= reading.mps.value_or(false);
        grant.devices.push_back(device);
    }
    grant.concurrent |= all_served;
    return grant;
}

std::optional<CUdevice> context_device(const Driver& driver) {
    CUdevice ordinal = 0;
    if (driver.cuCtxGetDevice(&ordinal) != CUDA_SUCCESS) return std::nullopt;
    return ordinal;
}

ContextCheck check_context(const Driver& driver, const Grant& grant, CUdevice ordinal) {
    const auto index = static_cast<std::size_t>(ordinal);
    if (index >= grant.devices.size()) return {true, std::nullopt};
    const DeviceGrant& device = grant.devices[index];
    const ContextCheck memory = check_memory(driver, device, grant.counted);
    if (!memory.done || memory.refusal || grant.mechanism != "mps") return memory;
    return check_affinity(driver, device);
}

}  // namespace ration::cuda
