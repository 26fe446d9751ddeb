// cuGetProcAddress: which address it answers for a name, a version and flags.
#include <gtest/gtest.h>

#include <vector>

#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

enum Status { kFound = 0, kUnknown = 1, kTooOld = 2 };
constexpr unsigned kUntouched = 99;

struct Case {
    const char* family;
    int version;
    int flags;
    Status status;
    const char* symbol;  // whose address it must be
};

// As measured; rows of versions newer than the driver's are left out when it is asked.
const std::vector<Case>& cases() {
    static const auto* all = new std::vector<Case>{
        {"cuInit", 2000, 0, kFound, "cuInit"},
        {"cuInit", 13000, 0, kFound, "cuInit"},
        {"cuCtxCreate", 2000, 0, kFound, "cuCtxCreate"},
        {"cuCtxCreate", 3020, 0, kFound, "cuCtxCreate_v2"},
        {"cuCtxCreate", 11030, 0, kFound, "cuCtxCreate_v2"},
        {"cuCtxCreate", 11040, 0, kFound, "cuCtxCreate_v3"},
        {"cuCtxCreate", 12000, 0, kFound, "cuCtxCreate_v3"},
        {"cuCtxCreate", 12050, 0, kFound, "cuCtxCreate_v4"},
        {"cuCtxCreate", 13000, 0, kFound, "cuCtxCreate_v4"},
        {"cuCtxCreate_v2", 2000, 0, kUnknown, nullptr},
        {"cuCtxCreate_v2", 12000, 0, kUnknown, nullptr},
        {"cuDevicePrimaryCtxRetain", 4000, 0, kTooOld, nullptr},
        {"cuDevicePrimaryCtxRetain", 7000, 0, kFound, "cuDevicePrimaryCtxRetain"},
        {"cuCtxSetCurrent", 3020, 0, kTooOld, nullptr},
        {"cuCtxSetCurrent", 4000, 0, kFound, "cuCtxSetCurrent"},
        {"cuCtxPushCurrent", 2000, 0, kFound, "cuCtxPushCurrent"},
        {"cuCtxPushCurrent", 3020, 0, kFound, "cuCtxPushCurrent"},
        {"cuCtxPushCurrent", 4000, 0, kFound, "cuCtxPushCurrent_v2"},
        {"cuGetProcAddress", 7000, 0, kTooOld, nullptr},
        {"cuGetProcAddress", 11030, 0, kFound, "cuGetProcAddress"},
        {"cuGetProcAddress", 11070, 0, kFound, "cuGetProcAddress"},
        {"cuGetProcAddress", 12000, 0, kFound, "cuGetProcAddress_v2"},
        {"cuMemAlloc", 2000, 0, kFound, "cuMemAlloc"},
        {"cuMemAlloc", 3020, 0, kFound, "cuMemAlloc_v2"},
        {"cuDeviceTotalMem", 2000, 0, kFound, "cuDeviceTotalMem"},
        {"cuDeviceTotalMem", 3020, 0, kFound, "cuDeviceTotalMem_v2"},
        {"cuCtxGetExecAffinity", 11030, 0, kTooOld, nullptr},
        {"cuCtxGetExecAffinity", 11040, 0, kFound, "cuCtxGetExecAffinity"},
        {"cuStreamCreate", 2000, 0, kFound, "cuStreamCreate"},
        // As NVIDIA's cuda-bindings ask for it; not measured.
        {"cuGraphInstantiate", 10000, 0, kFound, "cuGraphInstantiate"},
        {"cuGraphInstantiate", 11000, 0, kFound, "cuGraphInstantiate_v2"},
        {"cuNope", 12000, 0, kUnknown, nullptr},
        {"cuLaunchKernel", 3020, 0, kTooOld, nullptr},
        {"cuLaunchKernel", 3020, 2, kTooOld, nullptr},
        {"cuLaunchKernel", 4000, 0, kFound, "cuLaunchKernel"},
        {"cuLaunchKernel", 4000, 1, kFound, "cuLaunchKernel"},
        {"cuLaunchKernel", 4000, 2, kTooOld, nullptr},
        {"cuLaunchKernel", 7000, 0, kFound, "cuLaunchKernel"},
        {"cuLaunchKernel", 7000, 1, kFound, "cuLaunchKernel"},
        {"cuLaunchKernel", 7000, 2, kFound, "cuLaunchKernel_ptsz"},
        {"cuLaunchKernel", 13000, 2, kFound, "cuLaunchKernel_ptsz"},
    };
    return *all;
}

std::string key(const Case& each) {
    return std::string(each.family) + "@" + std::to_string(each.version) + "/" +
           std::to_string(each.flags);
}

std::vector<Case> askable() {
    std::vector<Case> kept;
    for (const Case& each : cases()) {
        if (each.version <= part().driver) kept.push_back(each);
    }
    return kept;
}

class ProcAddressV2 : public testing::Test {
    void SetUp() override {
        if (part().driver < 12000)
            GTEST_SKIP() << "CUDA " << part().driver << " has the first only";
    }
};

TEST_F(ProcAddressV2, AnswersTheNewestVersionNotAboveTheOneAskedFor) {
    const std::vector<Case> asked = askable();
    const Report report = in_child({}, [&](Cuda& cuda, Report& found) {
        for (const Case& each : asked) {
            void* entry = &found;
            CUdriverProcAddressQueryResult status{};
            set_number(status, kUntouched);
            found.set(key(each) + " result",
                      cuda.cuGetProcAddress_v2(each.family, &entry, each.version,
                                               static_cast<cuuint64_t>(each.flags), &status));
            found.set(key(each) + " status", number_of(status));
            void* expected = each.symbol != nullptr ? cuda.symbol(each.symbol) : nullptr;
            found.set(key(each) + " right", entry == expected ? 1 : 0);
            found.set(key(each) + " exported", each.symbol == nullptr || expected ? 1 : 0);
        }
    });
    for (const Case& each : asked) {
        EXPECT_EQ(report[key(each) + " result"], CUDA_SUCCESS) << key(each);
        EXPECT_EQ(report[key(each) + " status"], each.status) << key(each);
        EXPECT_EQ(report[key(each) + " right"], 1) << key(each);
        EXPECT_EQ(report[key(each) + " exported"], 1) << key(each);
    }
}

TEST_F(ProcAddressV2, AVersionAboveTheDriversIsRefusedAndNothingWritten) {
    const int above = part().driver + 1000;
    const Report report = in_child({}, [above](Cuda& cuda, Report& found) {
        for (const char* name : {"cuInit", "cuNope"}) {
            void* entry = &found;
            CUdriverProcAddressQueryResult status{};
            set_number(status, kUntouched);
            found.set(std::string(name) + " result",
                      cuda.cuGetProcAddress_v2(name, &entry, above, 0, &status));
            found.set(std::string(name) + " status", number_of(status));
            found.set(std::string(name) + " untouched", entry == &found ? 1 : 0);
        }
    });
    for (const std::string name : {"cuInit", "cuNope"}) {
        EXPECT_EQ(report[name + " result"], CUDA_ERROR_INVALID_VALUE);
        EXPECT_EQ(report[name + " status"], kUntouched);
        EXPECT_EQ(report[name + " untouched"], 1);
    }
}

TEST(ProcAddress, TheFirstVersionFailsForAnUnknownNameAndWritesNothing) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        void* entry = nullptr;
        found.set("known", cuda.cuGetProcAddress("cuInit", &entry, 11040, 0));
        found.set("right", entry == cuda.symbol("cuInit") ? 1 : 0);
        entry = &found;
        found.set("unknown", cuda.cuGetProcAddress("cuNope", &entry, 11040, 0));
        found.set("untouched", entry == &found ? 1 : 0);
    });
    EXPECT_EQ(report["known"], CUDA_SUCCESS);
    EXPECT_EQ(report["right"], 1);
    EXPECT_EQ(report["unknown"], CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(report["untouched"], 1);
}

TEST(ProcAddress, NeedsNoInit) {
    const Report report = in_child({}, [](Cuda& cuda, Report& found) {
        void* entry = nullptr;
        found.set("result", cuda.cuGetProcAddress("cuInit", &entry, 11030, 0));
        const auto init = reinterpret_cast<decltype(&::cuInit)>(entry);
        found.set("init", init != nullptr ? init(0) : CUDA_ERROR_UNKNOWN);
    });
    EXPECT_EQ(report["result"], CUDA_SUCCESS);
    EXPECT_EQ(report["init"], CUDA_SUCCESS);
}

}  // namespace
}  // namespace gpu
