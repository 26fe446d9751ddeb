#include "tests/unit/engine_fakes.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>

#include "shim/cuda/share.h"
#include "shim/cuda/totals.h"
#include "shim/engine/recorder.h"
#include "shim/engine/session.h"
#include "shim/host/generation.h"
#include "shim/policy/decide.h"

namespace ration::engine {

FakeDriver* driver = nullptr;
const char* const kUuid = "GPU-01010101-0101-0101-0101-010101010101";
const char* const kSecondUuid = "GPU-02020202-0202-0202-0202-020202020202";

namespace {

std::atomic<void*> routes[kHookCount];
thread_local int depth = 0;
thread_local void* word = nullptr;
thread_local CUdevice thread_device = -1;

std::string variable(const char* name) {
    const char* const value = getenv(name);
    return value == nullptr ? "unset" : value;
}

CUcontext handle(int number) { return reinterpret_cast<CUcontext>(static_cast<intptr_t>(number)); }

CUresult fake_init(unsigned) {
    ++driver->inits;
    if (driver->inside_init) driver->inside_init();
    if (driver->init_result != CUDA_SUCCESS) return driver->init_result;
    const std::lock_guard lock(driver->initialising);
    if (driver->initialised) return CUDA_SUCCESS;
    driver->seen_share = variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE");
    driver->seen_pipe = variable("CUDA_MPS_PIPE_DIRECTORY");
    const double percent = driver->seen_share == "unset" || driver->ignores_share
                               ? 100
                               : cuda::driver_percentage(driver->seen_share);
    driver->sms = policy::granted_units(percent, 132, policy::kMpsGranularity);
    driver->initialised = true;
    return CUDA_SUCCESS;
}

CUresult fake_context(const char* call, CUcontext* context) {
    driver->calls.emplace_back(call);
    if (!driver->initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (driver->context_result == CUDA_SUCCESS && context != nullptr) *context = handle(7);
    return driver->context_result;
}

void note_affinity(const CUexecAffinityParam* parameters, int count) {
    driver->asked_sms.clear();
    for (int i = 0; i < count; ++i) driver->asked_sms.push_back(parameters[i].param.smCount.val);
}

CUresult create_v3(CUcontext* context, CUexecAffinityParam* parameters, int count, unsigned,
                   CUdevice) {
    driver->null_parameters = parameters == nullptr;
    constexpr int kAtMost = 8;
    if (count > kAtMost) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
    note_affinity(parameters, count);
    return fake_context("create_v3", context);
}

CUresult create_v4(CUcontext* context, CUctxCreateParams* parameters, unsigned, CUdevice) {
    driver->null_parameters = parameters == nullptr;
    driver->asked_sms.clear();
    if (parameters != nullptr) {
        note_affinity(parameters->execAffinityParams, parameters->numExecAffinityParams);
    }
    return fake_context("create_v4", context);
}

CUresult fake_attribute(int* value, CUdevice_attribute attribute, CUdevice) {
    if (attribute == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) {
        *value = static_cast<int>(driver->sms);
        return CUDA_SUCCESS;
    }
    if (!driver->has_mps_attribute) return CUDA_ERROR_INVALID_VALUE;
    *value = driver->served ? 1 : 0;
    return CUDA_SUCCESS;
}

template <class Function>
void* address(Function* function) {
    return reinterpret_cast<void*>(function);
}

void* real(uint32_t hook) {
    switch (static_cast<Hook>(hook)) {
        case Hook::cuInit:
            return address(&fake_init);
        case Hook::cuCtxCreate:
        case Hook::cuCtxCreate_v2:
            return address(+[](CUcontext* context, unsigned, CUdevice) {
                return fake_context("create", context);
            });
        case Hook::cuCtxCreate_v3:
            return address(&create_v3);
        case Hook::cuCtxCreate_v4:
            return driver->lacks_v4 ? nullptr : address(&create_v4);
        case Hook::cuDevicePrimaryCtxRetain:
            return address(
                +[](CUcontext* context, CUdevice) { return fake_context("retain", context); });
        case Hook::cuCtxSetCurrent:
            return address(+[](CUcontext context) {
                return fake_context(context == nullptr ? "unset" : "set", nullptr);
            });
        case Hook::cuCtxPushCurrent:
        case Hook::cuCtxPushCurrent_v2:
            return address(+[](CUcontext) { return fake_context("push", nullptr); });
        default:
            break;
    }
    return nullptr;
}

const std::map<std::string, void*>& symbols() {
    static const std::map<std::string, void*> all = {
        {"cuDeviceGetCount", address(+[](int* count) {
             if (driver->inside_query) driver->inside_query();
             *count = driver->devices;
             return driver->initialised && driver->answers ? CUDA_SUCCESS
                                                           : CUDA_ERROR_NOT_INITIALIZED;
         })},
        {"cuDeviceGet", address(+[](CUdevice* device, int ordinal) {
             *device = ordinal;
             return CUDA_SUCCESS;
         })},
        {"cuDeviceGetAttribute", address(&fake_attribute)},
        {"cuDeviceGetUuid_v2", address(+[](CUuuid* uuid, CUdevice device) {
             memset(uuid->bytes, device + 1, sizeof uuid->bytes);
             return CUDA_SUCCESS;
         })},
        {"cuCtxGetCurrent", address(+[](CUcontext* context) {
             *context = nullptr;
             return CUDA_SUCCESS;
         })},
        {"cuCtxGetDevice", address(+[](CUdevice* device) {
             *device = thread_device < 0 ? driver->current : thread_device;
             return driver->no_current ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
         })},
        {"cuMemGetInfo_v2", address(+[](std::size_t* free, std::size_t* total) {
             if (driver->inside_check) driver->inside_check();
             *free = *total = 0;
             return CUDA_SUCCESS;
         })},
        {"cuCtxGetExecAffinity", address(+[](CUexecAffinityParam* parameter, CUexecAffinityType) {
             parameter->param.smCount.val = driver->context_sms;
             return driver->context_sms == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
         })},
        {"cuCtxDestroy_v2", address(+[](CUcontext) {
             driver->calls.emplace_back("destroy");
             return CUDA_SUCCESS;
         })},
        {"cuCtxPopCurrent_v2", address(+[](CUcontext*) {
             driver->calls.emplace_back("pop");
             return CUDA_SUCCESS;
         })},
        {"cuDevicePrimaryCtxRelease_v2", address(+[](CUdevice) {
             driver->calls.emplace_back("release");
             return CUDA_SUCCESS;
         })}};
    return all;
}

void note_begin() {
    constexpr int kTurns = 1000;
    for (int i = 0; driver->slow_to_begin && i < kTurns; ++i) sched_yield();
}

void* driver_symbol(uint32_t, const char* name) {
    if (strcmp(name, "cuDeviceGetCount") == 0) note_begin();
    const auto found = symbols().find(name);
    return found == symbols().end() ? nullptr : found->second;
}

void route(uint32_t hook, void* target) { routes[hook] = target; }

std::mutex installing;
std::atomic<std::uint32_t> decided_in{0};  // the generation of a process
thread_local bool deciding = false;

int install(uint32_t, void* const* targets, void (*commit)(void*), void* state) {
    const std::lock_guard lock(installing);
    if (decided_in == host::generation()) return 0;
    commit(state);
    for (unsigned hook = 0; hook < kHookCount; ++hook) routes[hook] = targets[hook];
    decided_in = host::generation();
    return 1;
}

int decide(uint32_t);

constexpr ration_front kFront = {.abi = RATION_ENGINE_ABI,
                                 .hook_count = kHookCount,
                                 .real = &real,
                                 .find = &driver_symbol,
                                 .route = &route,
                                 .depth = [](uint32_t) { return &depth; },
                                 .word = [] { return &word; },
                                 .decide = &decide,
                                 .install = &install};

int decide(uint32_t) {
    if (decided_in == host::generation()) return 1;
    if (deciding) return 0;
    char reason[512] = "";
    deciding = true;
    EXPECT_EQ(ration_engine_attach(&kFront, reason, sizeof reason), 0) << reason;
    deciding = false;
    return 1;
}

int listen_at(const std::string& path) {
    const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(listen(listener, 100), 0);
    return listener;
}

constexpr const char* kVariables[] = {"RATION_POLICY",
                                      "RATION_SHARE",
                                      "RATION_MEMORY",
                                      "RATION_DEVICE",
                                      "RATION_MIG",
                                      "RATION_USE",
                                      "RATION_LOG",
                                      "RATION_LOG_LEVEL",
                                      "RATION_DISABLE",
                                      "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
                                      "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT",
                                      "CUDA_VISIBLE_DEVICES"};

}  // namespace

void* routed(Hook hook) {
    void* const target = routes[static_cast<unsigned>(hook)];
    return target != nullptr ? target : real(static_cast<uint32_t>(hook));
}
bool is_real(Hook hook) {
    void* const target = routes[static_cast<unsigned>(hook)];
    return target == nullptr || target == real(static_cast<uint32_t>(hook));
}
int real_depth() { return depth; }
void use_in_this_thread(CUdevice device) { thread_device = device; }

CUresult set_current() {
    return reinterpret_cast<decltype(&::cuCtxSetCurrent)>(routed(Hook::cuCtxSetCurrent))(handle(7));
}

Fakes::Fakes() {
    delete driver;
    driver = new FakeDriver;
    for (auto& target : routes) target = nullptr;
    for (const char* name : kVariables) unsetenv(name);
    setenv("RATION_RUNTIME_DIR", (folder_ / "run").c_str(), 1);
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    setenv("CUDA_MPS_PIPE_DIRECTORY", folder_.path().c_str(), 1);
    listener_ = listen_at(folder_ / "control");
    // So that no test asks the NVML of the machine that it runs on.
    cuda::store_totals(runtime_directory(true).path, {{kUuid, 132}, {kSecondUuid, 132}});
}

Fakes::~Fakes() { stop_daemon(); }

void Fakes::stop_daemon() {
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
}

void Fakes::policy(const std::string& text) {
    setenv("RATION_POLICY", folder_.write("policy.toml", text, 0644).c_str(), 1);
}

int Fakes::attach(std::string* reason) {
    // As if it were another process, but for its records.
    if (decided_in.exchange(0) != 0) Session::current().recorder_ = Recorder({});
    char text[512] = "";
    const int code = ration_engine_attach(&kFront, text, sizeof text);
    if (reason != nullptr) *reason = text;
    return code;
}

std::vector<state::Listed> Fakes::records() const { return state::list(runtime_directory(false)); }

state::Record Fakes::record() const {
    const auto all = records();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? state::Record{} : all.front().record;
}

}  // namespace ration::engine
