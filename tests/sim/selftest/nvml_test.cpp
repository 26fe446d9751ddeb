// The simulated NVML shows the node of the simulated driver.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>

#include "tests/sim/node/node.h"
#include "tests/sim/nvml/nvml_types.h"

namespace sim {
namespace {

// The types of the entry points, from the table that the library is made from.
#define SIM_NVML(symbol, parameters) using symbol##_type = nvmlReturn_t parameters;
#include "tests/sim/nvml/exports.def"
#undef SIM_NVML

class Nvml : public testing::Test {
  protected:
    void SetUp() override {
        setenv("SIM_CUDA_GPUS", kNode, 1);
        setenv("CUDA_VISIBLE_DEVICES", "1", 1);  // of no concern to NVML
        handle_ = dlopen("libnvidia-ml.so.1", RTLD_NOW);
        ASSERT_NE(handle_, nullptr) << dlerror();
    }
    // Both, as the library stays loaded for the next test.
    void TearDown() override {
        while (call<nvmlShutdown_type>("nvmlShutdown") == NVML_SUCCESS) {
        }
    }
    template <typename Type, typename... Arguments>
    nvmlReturn_t call(const char* name, Arguments... arguments) {
        auto* entry = reinterpret_cast<Type*>(dlsym(handle_, name));
        EXPECT_NE(entry, nullptr) << name;
        return entry != nullptr ? entry(arguments...) : NVML_ERROR_UNKNOWN;
    }
#define NVML_CALL(name, ...) call<name##_type>(#name __VA_OPT__(, ) __VA_ARGS__)

    nvmlDevice_t device(unsigned int index) {
        nvmlDevice_t found = nullptr;
        EXPECT_EQ(NVML_CALL(nvmlDeviceGetHandleByIndex_v2, index, &found), NVML_SUCCESS);
        return found;
    }
    std::string uuid(nvmlDevice_t of) {
        std::array<char, 96> text{};
        EXPECT_EQ(NVML_CALL(nvmlDeviceGetUUID, of, text.data(), 96U), NVML_SUCCESS);
        return text.data();
    }

    static constexpr const char* kNode = "l4,h100/3g.40gb/1g.10gb,h200";
    void* handle_ = nullptr;
};

TEST_F(Nvml, NeedsInitAndCountsIt) {
    unsigned int count = 0;
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetCount_v2, &count), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(NVML_CALL(nvmlShutdown), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(NVML_CALL(nvmlInit_v2), NVML_SUCCESS);
    EXPECT_EQ(NVML_CALL(nvmlInit_v2), NVML_SUCCESS);
    EXPECT_EQ(NVML_CALL(nvmlShutdown), NVML_SUCCESS);
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetCount_v2, &count), NVML_SUCCESS);
    EXPECT_EQ(count, 3U);
}

TEST_F(Nvml, ListsTheNodeInPciOrder) {
    ASSERT_EQ(NVML_CALL(nvmlInit_v2), NVML_SUCCESS);
    const Node node = parse_node(kNode);
    for (unsigned int i = 0; i < 3; ++i) {
        EXPECT_EQ(uuid(device(i)), node.gpus[i].uuid);
        nvmlPciInfo_t pci{};
        EXPECT_EQ(NVML_CALL(nvmlDeviceGetPciInfo_v3, device(i), &pci), NVML_SUCCESS);
        EXPECT_EQ(pci.bus, 0x10 + i);
        nvmlDevice_t again = nullptr;
        EXPECT_EQ(NVML_CALL(nvmlDeviceGetHandleByPciBusId_v2, pci.busId, &again), NVML_SUCCESS);
        EXPECT_EQ(again, device(i));
    }
    unsigned int cores = 0;
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetNumGpuCores, device(2), &cores), NVML_SUCCESS);
    EXPECT_EQ(cores, 132U * 128U);
}

TEST_F(Nvml, MemoryInTwoVersions) {
    ASSERT_EQ(NVML_CALL(nvmlInit_v2), NVML_SUCCESS);
    nvmlMemory_t first{};
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMemoryInfo, device(0), &first), NVML_SUCCESS);
    EXPECT_EQ(first.total, 23034 * kMiB);
    nvmlMemory_v2_t second{};
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMemoryInfo_v2, device(0), &second),
              NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    second.version = kNvmlMemoryV2;
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMemoryInfo_v2, device(0), &second), NVML_SUCCESS);
    EXPECT_EQ(second.total, first.total);
}

TEST_F(Nvml, MigInstancesHaveGaps) {
    ASSERT_EQ(NVML_CALL(nvmlInit_v2), NVML_SUCCESS);
    unsigned int now = 9;
    unsigned int pending = 9;
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMigMode, device(0), &now, &pending), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMigMode, device(2), &now, &pending), NVML_SUCCESS);
    EXPECT_EQ(now, 0U);
    unsigned int most = 9;
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMaxMigDeviceCount, device(2), &most), NVML_SUCCESS);
    EXPECT_EQ(most, 0U) << "measured: not in MIG mode";
    EXPECT_EQ(NVML_CALL(nvmlDeviceGetMigMode, device(1), &now, &pending), NVML_SUCCESS);
    EXPECT_EQ(now, 1U);
    const Node node = parse_node(kNode);
    const Gpu& gpu = node.gpus[1];
    for (unsigned int i = 0; i < 7; ++i) {
        nvmlDevice_t instance = nullptr;
        const nvmlReturn_t result =
            NVML_CALL(nvmlDeviceGetMigDeviceHandleByIndex, device(1), i, &instance);
        if (i != 0 && i != 3) {
            EXPECT_EQ(result, NVML_ERROR_NOT_FOUND) << i;
            continue;
        }
        ASSERT_EQ(result, NVML_SUCCESS) << i;
        EXPECT_EQ(uuid(instance), gpu.instances[i == 0 ? 0 : 1].uuid);
        nvmlDeviceAttributes_t attributes{};
        EXPECT_EQ(NVML_CALL(nvmlDeviceGetAttributes_v2, instance, &attributes), NVML_SUCCESS);
        EXPECT_EQ(attributes.multiprocessorCount, i == 0 ? 60U : 16U);
        nvmlDevice_t parent = nullptr;
        EXPECT_EQ(NVML_CALL(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, instance, &parent),
                  NVML_SUCCESS);
        EXPECT_EQ(parent, device(1));
    }
}

}  // namespace
}  // namespace sim
