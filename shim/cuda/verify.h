// Reads back from the driver what it granted.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shim/cuda/driver.h"
#include "shim/cuda/grant.h"
#include "shim/cuda/plan.h"
#include "shim/cuda/refusal.h"

namespace ration::cuda {

// What the driver says of one visible device.
struct Reading {
    std::string uuid;         // "GPU-...", or "MIG-..." where the plan names an instance
    std::optional<bool> mps;  // nullopt: this driver has no CU_DEVICE_ATTRIBUTE_MPS_ENABLED
    unsigned sms = 0;
};

struct Readings {
    CUresult code = CUDA_SUCCESS;  // CUDA_ERROR_NOT_INITIALIZED: too early, ask later
    std::vector<Reading> devices;
};

// `instance`: the visible device is a MIG instance, whose own UUID cuDeviceGetUuid_v2 tells.
Readings read_devices(const Driver& driver, bool instance);

// SMs of whole devices by UUID. Under MPS the driver itself tells the granted count only.
using Totals = std::map<std::string, unsigned>;

// Whether the readings are what the plan asked for; pure. Granted more than asked because of the
// driver's minimum is a grant with a note. Refused: a device that MPS does not serve, more SMs than
// asked, other devices than the plan's.
Or<Grant> verify(const Plan& plan, const std::vector<Reading>& readings, const Totals& totals);

// The device whose context is current in this thread; nullopt if none is.
std::optional<CUdevice> context_device(const Driver& driver);

// What a look at the current context told.
struct ContextCheck {
    bool done = false;  // false: the context is not active yet: look again later
    std::optional<Refusal> refusal;
};

// Whether the context that is current in this thread is within the grant of its `device`.
ContextCheck check_context(const Driver& driver, const Grant& grant, CUdevice device);

}  // namespace ration::cuda
