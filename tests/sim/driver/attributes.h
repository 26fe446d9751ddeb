// Device attributes.
#pragma once
#include "tests/sim/driver/driver.h"

namespace sim {

// Whether a driver of kDriverVersion knows the number at all.
bool attribute_known(CUdevice_attribute attribute);
// 0 for attributes that are of no interest here.
int attribute_value(CUdevice_attribute attribute, const Device& device, bool mps);

}  // namespace sim
