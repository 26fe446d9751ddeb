// Numbers of SMs of whole devices, remembered between processes: a share's grant line says "of 132
// SMs", and to ask NVML costs each process more CPU time than its own driver's start under MPS.
#pragma once

#include <string>

#include "shim/cuda/verify.h"

namespace ration::cuda {

// Reads `folder`/devices, if it is a plain file of this user that nobody else can write. Anything
// else, and lines that are not understood, give no totals.
Totals load_totals(const std::string& folder);

// Replaces the file at once, or leaves it as it was. `folder` exists and is this user's own.
void store_totals(const std::string& folder, const Totals& totals);

}  // namespace ration::cuda
