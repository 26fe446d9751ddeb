// Inventories for tests.
#pragma once

#include <string>

#include "shim/cuda/inventory.h"

namespace ration::cuda {

inline std::string uuid(int index) {
    const char digit = static_cast<char>('a' + index);
    return "GPU-" + std::string(8, digit) + "-0000-0000-0000-00000000000" + std::to_string(index);
}

// `count` GPUs of one model: 132 SMs, 80 GiB, at 0000:10:00.0 and following.
inline Inventory inventory_of(int count) {
    Inventory inventory;
    for (int i = 0; i < count; ++i) {
        inventory.devices.push_back({uuid(i), "00000000:1" + std::to_string(i) + ":00.0",
                                     "NVIDIA H100 80GB HBM3", 80ULL << 30, 132});
    }
    return inventory;
}

// The second of two GPUs has two MIG instances.
inline Inventory inventory_with_mig() {
    Inventory inventory = inventory_of(2);
    inventory.instances = {
        {"MIG-11111111-0000-5000-8000-000000000001", "3g.40gb", 40ULL << 30, 60, 1},
        {"MIG-22222222-0000-5000-8000-000000000002", "1g.10gb", 10ULL << 30, 16, 1}};
    return inventory;
}

}  // namespace ration::cuda
