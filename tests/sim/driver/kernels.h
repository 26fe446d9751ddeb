// The kernels that do something when they are launched; all others do nothing.
#pragma once
#include <string>

#include "tests/sim/driver/driver.h"

namespace sim {

// What a launch of the kernel does on its stream's SMs. It reads its parameters now.
//   smid_mask(unsigned* mask)   sets the bit of every SM that it runs on
//   wait_flag(unsigned* flag)   runs until the flag is not 0
bool has_parameter(const std::string& name);
CUresult kernel_task(const Driver& driver, const std::string& name, CUcontext context,
                     unsigned blocks, void** parameters, Task& task);

}  // namespace sim
