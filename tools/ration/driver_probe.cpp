#include "tools/ration/driver_probe.h"

#include <cuda.h>
#include <dlfcn.h>
#include <fmt/core.h>
#include <limits.h>
#include <stdlib.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "shim/cuda/mps_pipe.h"
#include "tools/ration/child.h"
#include "tools/ration/failure.h"
#include "tools/ration/groups.h"

namespace ration::tool {
namespace {

// Typed by cuda.h; null where the driver has no such entry point.
template <class Function>
Function* find(void* library, const char* symbol) {
    return reinterpret_cast<Function*>(dlsym(library, symbol));
}

// One line for each answer, so that a crash later on keeps what was learned before.
void tell(const char* key, const Json& value) {
    print(Json{{key, value}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string uuid_text(const CUuuid& uuid) {
    std::string text = "GPU-";
    for (int i = 0; i < 16; ++i) {
        const bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        text += fmt::format("{}{:02x}", dash ? "-" : "", static_cast<unsigned char>(uuid.bytes[i]));
    }
    return text;
}

Json describe_device(void* library, int index) {
    Json device{{"index", index}};
    CUdevice handle = 0;
    std::array<char, 256> name{};
    CUuuid uuid{};
    int sms = 0;
    std::size_t memory = 0;
    auto* get = find<decltype(cuDeviceGet)>(library, "cuDeviceGet");
    auto* get_name = find<decltype(cuDeviceGetName)>(library, "cuDeviceGetName");
    auto* get_uuid = find<decltype(cuDeviceGetUuid)>(library, "cuDeviceGetUuid");
    auto* get_attribute = find<decltype(cuDeviceGetAttribute)>(library, "cuDeviceGetAttribute");
    auto* get_memory = find<decltype(cuDeviceTotalMem)>(library, "cuDeviceTotalMem_v2");
    if (get == nullptr || get(&handle, index) != CUDA_SUCCESS) {
        return device;
    }
    if (get_name != nullptr && get_name(name.data(), name.size() - 1, handle) == CUDA_SUCCESS) {
        device["name"] = name.data();
    }
    if (get_uuid != nullptr && get_uuid(&uuid, handle) == CUDA_SUCCESS) {
        device["uuid"] = uuid_text(uuid);
    }
    if (get_attribute != nullptr &&
        get_attribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, handle) == CUDA_SUCCESS) {
        device["sms"] = sms;
    }
    if (get_memory != nullptr && get_memory(&memory, handle) == CUDA_SUCCESS) {
        device["memory"] = memory;
    }
    device["groups"] = describe_groups(library, index, device.value("uuid", std::string()));
    return device;
}

std::string error_name(void* library, CUresult code) {
    const char* name = nullptr;
    auto* get_name = find<decltype(cuGetErrorName)>(library, "cuGetErrorName");
    if (get_name != nullptr && get_name(code, &name) == CUDA_SUCCESS && name != nullptr) {
        return name;
    }
    return "CUDA error " + std::to_string(code);
}

// What the user can do about an error of cuInit.
std::string advice(CUresult code) {
    switch (code) {
        case CUDA_ERROR_NO_DEVICE:
            return ": no GPU is visible; look at CUDA_VISIBLE_DEVICES, /dev/nvidia* and the "
                   "container's device list";
        case CUDA_ERROR_STUB_LIBRARY:
            return ": this is the toolkit's stub, not a driver; take its folder off "
                   "LD_LIBRARY_PATH";
        case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
            return ": libcuda.so.1 and the kernel module are of different versions; reboot or "
                   "reload the module";
        case CUDA_ERROR_SYSTEM_NOT_READY:
            return ": the fabric manager or another system service is not running";
        default:
            return "";
    }
}

std::string exit_text(const ChildResult& result) {
    if (result.timed_out) {
        return "the driver did not answer in time";
    }
    return result.status > 128
               ? fmt::format("the driver crashed with signal {}", result.status - 128)
               : fmt::format("the driver ended the process with status {}", result.status);
}

}  // namespace

int answer_driver_probe() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library == nullptr) {
        tell("problem", std::string("no CUDA driver: ") + dlerror());
        return kOk;
    }
    auto* init = find<decltype(cuInit)>(library, "cuInit");
    Dl_info info{};
    if (init == nullptr || dladdr(reinterpret_cast<void*>(init), &info) == 0) {
        tell("problem", "libcuda.so.1 has no cuInit");
        return kOk;
    }
    std::array<char, PATH_MAX> path{};
    tell("library",
         realpath(info.dli_fname, path.data()) == nullptr ? info.dli_fname : path.data());
    int version = 0;
    auto* get_version = find<decltype(cuDriverGetVersion)>(library, "cuDriverGetVersion");
    if (get_version != nullptr && get_version(&version) == CUDA_SUCCESS) {
        tell("version", fmt::format("{}.{}", version / 1000, version % 1000 / 10));
    }
    const CUresult code = init(0);
    tell("init", static_cast<int>(code));
    tell("init_name", error_name(library, code));
    if (code != CUDA_SUCCESS) {
        tell("problem", "cuInit: " + error_name(library, code) + advice(code));
        return kOk;
    }
    int count = 0;
    auto* get_count = find<decltype(cuDeviceGetCount)>(library, "cuDeviceGetCount");
    Json devices = Json::array();
    for (int i = 0; get_count != nullptr && get_count(&count) == CUDA_SUCCESS && i < count; ++i) {
        devices.push_back(describe_device(library, i));
    }
    tell("devices", devices);
    return kOk;
}

Json probe_driver(std::chrono::seconds limit) {
    ChildPlan plan;
    plan.command = {"/proc/self/exe", "doctor", "--probe-driver"};
    // A directory without a daemon keeps the driver from starting an MPS server for us.
    plan.set = {{cuda::kMpsPipeVariable, "/nonexistent"}};
    plan.unset = {"LD_PRELOAD"};
    plan.limit = limit;
    const ChildResult result = run_child(plan);
    Json answer{{"library", nullptr},   {"version", nullptr}, {"init", nullptr},
                {"init_name", nullptr}, {"devices", nullptr}, {"problem", nullptr}};
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);) {
        const Json part = Json::parse(line, nullptr, false);
        if (part.is_object()) {  // the driver itself may have printed something
            answer.update(part);
        }
    }
    // The child always ends with its devices or a problem.
    const bool complete = answer["devices"].is_array() || answer["problem"].is_string();
    if (result.timed_out || result.status != 0 || !complete) {
        answer["problem"] = exit_text(result);
    }
    return answer;
}

}  // namespace ration::tool
