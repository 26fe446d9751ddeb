// NVML as shim/cuda/inventory reads it, by its own declarations of the calls and their structures:
// it says of each GPU what the driver says. Of MIG only what a GPU out of MIG mode answers is asked
// here.
#include "shim/cuda/nvml.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>

#include "shim/cuda/inventory.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

namespace nvml = ration::cuda::nvml;

constexpr nvml::Result kUninitialized = 1;
constexpr nvml::Result kInvalidArgument = 2;
constexpr nvml::Result kNotSupported = 3;
constexpr nvml::Result kInsufficientSize = 7;

// Every call of the inventory's list; the process ends where one is missing.
nvml::Library load() {
    nvml::Library library;
    void* handle = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (handle == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        _exit(3);
    }
#define CALL(member, symbol, parameters)                                                 \
    library.member = reinterpret_cast<decltype(library.member)>(dlsym(handle, #symbol)); \
    if (library.member == nullptr) {                                                     \
        std::fprintf(stderr, "NVML lacks %s\n", #symbol);                                \
        _exit(3);                                                                        \
    }
    RATION_NVML_CALLS(CALL)
#undef CALL
    return library;
}

using Question = void (*)(const nvml::Library& library, nvml::Device first, Report& report);

// Asks the initialised library in a fresh process.
Report ask(const Environment& environment, Question question) {
    return in_child(environment, [question](Cuda&, Report& report) {
        const nvml::Library library = load();
        report.set("init", library.init());
        unsigned count = 0;
        report.set("count_result", library.count(&count));
        report.set("count", count);
        nvml::Device first = nullptr;
        report.set("first", library.by_index(0, &first));
        question(library, first, report);
    });
}

void nothing_more(const nvml::Library&, nvml::Device, Report&) {}

// A PCI address in one spelling: NVML writes the domain with eight digits, CUDA with four.
std::string same_spelling(std::string pci) {
    if (pci.size() > 12) pci.erase(0, pci.size() - 12);
    std::transform(pci.begin(), pci.end(), pci.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return pci;
}

TEST(Nvml, NeedsInitWhichIsCounted) {
    const Report report = in_child({}, [](Cuda&, Report& found) {
        const nvml::Library library = load();
        unsigned count = 0;
        found.set("before", library.count(&count));
        found.set("shutdown before", library.shutdown());
        library.init();
        library.init();
        found.set("shutdown", library.shutdown());
        found.set("between", library.count(&count));
        library.shutdown();
        found.set("after", library.count(&count));
    });
    EXPECT_EQ(report["before"], kUninitialized);
    EXPECT_EQ(report["shutdown before"], kUninitialized);
    EXPECT_EQ(report["shutdown"], nvml::kSuccess);
    EXPECT_EQ(report["between"], nvml::kSuccess);
    EXPECT_EQ(report["after"], kUninitialized);
}

TEST(Nvml, IgnoresTheListOfVisibleDevices) {
    for (const char* list : {"", "0"}) {
        const Report report = ask({{"CUDA_VISIBLE_DEVICES", list}}, nothing_more);
        EXPECT_EQ(report["init"], nvml::kSuccess);
        EXPECT_EQ(report["count"], part().count) << '"' << list << '"';
    }
}

TEST(Nvml, AnIndexThatNamesNoGpuIsAnInvalidArgument) {
    const Report report = ask({}, [](const nvml::Library& library, nvml::Device, Report& found) {
        unsigned count = 0;
        library.count(&count);
        nvml::Device beyond = nullptr;
        found.set("beyond", library.by_index(count, &beyond));
    });
    EXPECT_EQ(report["first"], nvml::kSuccess);
    EXPECT_EQ(report["beyond"], kInvalidArgument);
}

TEST(Nvml, NumbersTheGpusByTheirPciAddressesAndNamesThemAsCudaDoes) {
    const Report report =
        in_child({{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}}, [](Cuda& cuda, Report& found) {
            const nvml::Library library = load();
            found.set("init", library.init());
            cuda.cuInit(0);
            for (int i = 0; i < part().count; ++i) {
                const std::string mark = std::to_string(i) + " ";
                nvml::Device device = nullptr;
                char uuid[96] = "";
                char name[96] = "";
                nvml::PciInfo pci{};
                found.set(mark + "results", library.by_index(static_cast<unsigned>(i), &device) +
                                                library.uuid(device, uuid, sizeof uuid) +
                                                library.name(device, name, sizeof name) +
                                                library.pci(device, &pci));
                found.set(mark + "uuid", std::string(uuid));
                found.set(mark + "name", std::string(name));
                found.set(mark + "pci", same_spelling(pci.bus_id));
                char cuda_pci[32] = "";
                cuda.cuDeviceGetPCIBusId(cuda_pci, sizeof cuda_pci, i);
                found.set(mark + "cuda pci", same_spelling(cuda_pci));
                char cuda_name[128] = "";
                cuda.cuDeviceGetName(cuda_name, sizeof cuda_name, i);
                found.set(mark + "cuda name", std::string(cuda_name));
                found.set(mark + "cuda uuid", "GPU-" + uuid_text(cuda, i));
            }
        });
    EXPECT_EQ(report["init"], nvml::kSuccess);
    for (int i = 0; i < part().count; ++i) {
        const std::string mark = std::to_string(i) + " ";
        EXPECT_EQ(report[mark + "results"], 4 * nvml::kSuccess);
        EXPECT_EQ(report.text(mark + "uuid"), report.text(mark + "cuda uuid"));
        EXPECT_EQ(report.text(mark + "name"), report.text(mark + "cuda name"));
        EXPECT_EQ(report.text(mark + "pci"), report.text(mark + "cuda pci"));
    }
}

TEST(Nvml, ATextThatDoesNotFitIsRefused) {
    const Report report =
        ask({}, [](const nvml::Library& library, nvml::Device first, Report& found) {
            char text[96] = "";
            found.set("uuid", library.uuid(first, text, 4));
            found.set("name", library.name(first, text, 2));
        });
    EXPECT_EQ(report["uuid"], kInsufficientSize);
    EXPECT_EQ(report["name"], kInsufficientSize);
}

TEST(Nvml, MemoryIsTheDevicesAndWhatTheDriverKeepsForItself) {
    const Report report =
        ask({}, [](const nvml::Library& library, nvml::Device first, Report& found) {
            nvml::Memory memory{};
            found.set("result", library.memory(first, &memory));
            found.set("total_mib", static_cast<long long>(memory.total) / kMiB);
            found.set("sum_mib", static_cast<long long>(memory.used + memory.free) / kMiB);
        });
    const long long total = report["total_mib"];
    EXPECT_EQ(report["result"], nvml::kSuccess);
    EXPECT_EQ(report["sum_mib"], total);
    if (part().count > 1) GTEST_SKIP() << "CUDA's first GPU may be another";
    EXPECT_GE(total, part().total_mib);
    EXPECT_LT(total - part().total_mib, total / 20);
    if (part().measured()) {
        EXPECT_EQ(total, 81559);
    }
}

TEST(Nvml, CoresAndCapabilityGiveTheNumberOfSms) {
    const Report report =
        in_child({{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}}, [](Cuda& cuda, Report& found) {
            const nvml::Library library = load();
            library.init();
            cuda.cuInit(0);
            nvml::Device first = nullptr;
            library.by_index(0, &first);
            unsigned cores = 0;
            int major = 0;
            int minor = 0;
            found.set("results",
                      library.cores(first, &cores) + library.capability(first, &major, &minor));
            found.set("cores", cores);
            found.set("sms", ration::cuda::sms_of_cores(cores, major, minor));
            int value = -1;
            cuda.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
            found.set("cuda sms", value);
        });
    EXPECT_EQ(report["results"], 2 * nvml::kSuccess);
    EXPECT_EQ(report["sms"], report["cuda sms"]);
    if (part().measured()) {
        EXPECT_EQ(report["cores"], 16896);
    }
}

TEST(Nvml, OutOfMigModeAGpuHasNoPlacesAndNoAttributes) {
    const Report report =
        ask({}, [](const nvml::Library& library, nvml::Device first, Report& found) {
            unsigned now = 9;
            unsigned pending = 9;
            found.set("mode", library.mig_mode(first, &now, &pending));
            found.set("now", now);
            unsigned most = 9;
            found.set("most_result", library.mig_count(first, &most));
            found.set("most", most);
            nvml::Attributes attributes{};
            found.set("attributes", library.attributes(first, &attributes));
            nvml::Device instance = nullptr;
            found.set("instance", library.mig_by_index(first, 0, &instance));
        });
    if (report["mode"] == kNotSupported) GTEST_SKIP() << "a GPU without MIG";
    ASSERT_EQ(report["mode"], nvml::kSuccess);
    if (report["now"] == 1) GTEST_SKIP() << "the GPU is in MIG mode";
    EXPECT_EQ(report["now"], 0);
    EXPECT_EQ(report["most_result"], nvml::kSuccess);
    EXPECT_EQ(report["most"], 0);
    EXPECT_EQ(report["attributes"], kNotSupported);
    EXPECT_NE(report["instance"], nvml::kSuccess) << report["instance"];
}

}  // namespace
}  // namespace gpu
