#include "tests/sim/driver/api.h"

const int sim::kDriverVersion = SIM_DRIVER_VERSION;
