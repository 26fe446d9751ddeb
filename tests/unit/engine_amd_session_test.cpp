// The course on AMD GPUs over a front, HIP, HSA and a kernel of the test's own.
#include <gmock/gmock.h>
#include <stdlib.h>
#include <string.h>

#include "shim/engine/amd_hooks.h"
#include "shim/engine/amd_session.h"
#include "tests/unit/amd_kernel.h"
#include "tests/unit/amd_models.h"
#include "tests/unit/cancelled.h"
#include "tests/unit/temporary_folder.h"

namespace ration::engine {

namespace {

using amd::HipError;
using amd::HipStream;
using amd::HsaAgent;
using amd::HsaQueue;
using amd::HsaStatus;
using amd::Mask;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint32_t kGpuId = 1000;  // of the first GPU of amd_models.h

// What HIP and HSA are asked, and what they answer.
struct Libraries {
    int current = 0;                     // HIP's device
    std::vector<std::string> addresses;  // of HIP's devices
    std::vector<std::string> calls;
    std::function<void()> inside_init;  // what hipInit does
    std::uint32_t node = 1;             // of the one HSA agent
    std::uint32_t device_type = amd::kHsaDeviceTypeGpu;
    bool hip = true;  // loaded
    std::size_t free = 1ULL << 40U;
};
Libraries* libraries = nullptr;

HipStream stream_of(int device) {
    return reinterpret_cast<HipStream>(static_cast<std::intptr_t>(0x1000 * (device + 1)));
}

template <class Function>
void* address(Function* function) {
    return reinterpret_cast<void*>(function);
}

HipError hip_call(const char* name) {
    libraries->calls.emplace_back(name);
    return amd::kHipSuccess;
}

HsaStatus agent_info(HsaAgent, amd::HsaAgentInfo attribute, void* value) {
    auto& number = *static_cast<std::uint32_t*>(value);
    number = 104;
    if (attribute == amd::kHsaAmdAgentInfoDriverNodeId) number = libraries->node;
    if (attribute == amd::kHsaAgentInfoDevice) number = libraries->device_type;
    return amd::kHsaSuccess;
}

int depths[kLibraryCount];
void* word;
void* targets[kHookCount];

}  // namespace

// Everything that a test of the session needs. One at a time.
class AmdFakes {
  public:
    AmdFakes() {
        amd::kernel = &kernel;
        libraries = &asked;
        setenv("RATION_RUNTIME_DIR", (folder_ / "run").c_str(), 1);
        plan_on(amd::mi210());
    }
    ~AmdFakes() { session().recorder_ = Recorder({}); }
    AmdFakes(const AmdFakes&) = delete;
    AmdFakes& operator=(const AmdFakes&) = delete;

    amd::DeviceLimit& plan_on(const amd::Gpu& gpu) {
        ruling.kind = AmdRuling::Kind::kConfined;
        ruling.plan.hip_devices.push_back(ruling.plan.devices.size());
        ruling.plan.devices.push_back({gpu, {0xffffff, 0, 0, 0}, 24, std::nullopt});
        asked.addresses.push_back(gpu.pci);
        return ruling.plan.devices.back();
    }

    void begin() {
        static constexpr ration_front kFront = {
            .abi = RATION_ENGINE_ABI,
            .hook_count = kHookCount,
            .real = &real,
            .find = &find,
            .route = [](uint32_t, void*) {},
            .depth = [](uint32_t library) { return &depths[library]; },
            .word = [] { return &word; },
            .decide = [](uint32_t) { return 1; },
            .install =
                [](uint32_t, void* const* all, void (*commit)(void*), void* state) {
                    memcpy(targets, all, sizeof targets);
                    commit(state);
                    return 1;
                }};
        AmdSession::begin(kFront, {ruling, {}});
    }
    static AmdSession& session() { return AmdSession::current(); }
    static bool hooked(Hook hook) { return targets[static_cast<unsigned>(hook)] != nullptr; }

    // As ioctl(2) for CREATE_QUEUE.
    static int create_queue(std::uint32_t gpu_id = kGpuId) {
        kfd_ioctl_create_queue_args request{};
        request.queue_type = KFD_IOC_QUEUE_TYPE_COMPUTE_AQL;
        request.gpu_id = gpu_id;
        return session().queues_.create({5, AMDKFD_IOC_CREATE_QUEUE, &request});
    }
    static int allocate(std::uint32_t gpu_id, std::uint64_t bytes) {
        kfd_ioctl_alloc_memory_of_gpu_args request{};
        request.gpu_id = gpu_id;
        request.size = bytes;
        request.flags = KFD_IOC_ALLOC_MEM_FLAGS_VRAM;
        return session().quota_.allocate({5, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &request});
    }
    // The kernel answers every mask, or the first ones, with that.
    void refuse_masks(int error, int times = 1 << 20) {
        kernel.fails = [error, times](unsigned asked_for) mutable {
            return asked_for == _IOC_NR(AMDKFD_IOC_SET_CU_MASK) && times-- > 0 ? error : 0;
        };
    }

    state::Record record() const {
        const auto all = state::list(runtime_directory(false));
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? state::Record{} : all.front().record;
    }

    AmdRuling ruling;
    amd::FakeKernel kernel;
    Libraries asked;

  private:
    static HsaStatus create_hsa_queue(HsaAgent, std::uint32_t, std::uint32_t,
                                      void (*)(HsaStatus, HsaQueue*, void*), void*, std::uint32_t,
                                      std::uint32_t, HsaQueue** queue) {
        libraries->calls.emplace_back("queue");
        *queue = nullptr;
        return create_queue() == 0 ? amd::kHsaSuccess : amd::kHsaErrorOutOfResources;
    }

    static void* real(uint32_t hook) {
        switch (static_cast<Hook>(hook)) {
            case Hook::ioctl:
                return address(&amd::fake_ioctl);
            case Hook::hsa_init:
                return address(+[] {
                    libraries->calls.emplace_back("hsa_init");
                    return amd::kHsaSuccess;
                });
            case Hook::hsa_agent_get_info:
                return address(&agent_info);
            case Hook::hipInit:
                if (!libraries->hip) return nullptr;
                return address(+[](unsigned) {
                    if (libraries->inside_init) libraries->inside_init();
                    return hip_call("init");
                });
            case Hook::hipStreamCreate:
                return address(+[](HipStream*) { return hip_call("create"); });
            case Hook::hipExtStreamCreateWithCUMask:
                return address(+[](HipStream* stream, std::uint32_t, const std::uint32_t*) {
                    *stream = stream_of(libraries->current);
                    return hip_call("create masked");
                });
            case Hook::hipExtStreamGetCUMask:
                return address(
                    +[](HipStream, std::uint32_t, std::uint32_t*) { return hip_call("mask"); });
            case Hook::hipMemGetInfo:
                return address(+[](std::size_t* free, std::size_t* total) {
                    *free = *total = libraries->free;
                    return hip_call("memory");
                });
            default:
                return nullptr;
        }
    }

    static void* find(uint32_t, const char* name) {
        static const std::map<std::string, void*> kAll = {
            {"hipGetDevice", address(+[](int* device) {
                 *device = libraries->current;
                 return amd::kHipSuccess;
             })},
            {"hipDeviceGetPCIBusId", address(+[](char* text, int capacity, int device) {
                 const auto& all = libraries->addresses;
                 strncpy(text, all.at(static_cast<std::size_t>(device)).c_str(),
                         static_cast<std::size_t>(capacity));
                 return amd::kHipSuccess;
             })},
            {"hipGetStreamDeviceId", address(+[](HipStream stream) {
                 return static_cast<int>(reinterpret_cast<std::intptr_t>(stream) / 0x1000 - 1);
             })},
            {"hsa_iterate_agents", address(+[](HsaStatus (*visit)(HsaAgent, void*), void* data) {
                 return visit({1}, data);
             })},
            {"hsa_agent_get_info", address(&agent_info)},
            {"hsa_queue_create", address(&create_hsa_queue)},
            {"hsa_shut_down", address(+[] {
                 libraries->calls.emplace_back("shut down");
                 return amd::kHsaSuccess;
             })}};
        const auto found = kAll.find(name);
        return found == kAll.end() ? nullptr : found->second;
    }

    TemporaryFolder folder_;
};

namespace {

class AmdSessionTest : public testing::Test {
  protected:
    Mask told(HipStream stream, std::uint32_t words = 4) {
        Mask mask(words, 0xdead);
        told_code_ = amd_hook::hipExtStreamGetCUMask(stream, words, mask.data());
        return mask;
    }

    AmdFakes fakes_;
    HipError told_code_ = amd::kHipSuccess;
};

TEST_F(AmdSessionTest, RecordsTheGrantAtTheFirstMask) {
    fakes_.begin();
    EXPECT_EQ(fakes_.record().state, state::State::kStarting);
    EXPECT_EQ(fakes_.create_queue(), 0);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
    EXPECT_THAT(fakes_.record().granted, HasSubstr("24 of 104 CUs"));
}

TEST_F(AmdSessionTest, BeginsInMemoryThatWasUsedBefore) {
    std::vector<std::unique_ptr<char[]>> used(64);
    for (auto& block : used) {
        block = std::make_unique_for_overwrite<char[]>(sizeof(AmdSession));
        memset(block.get(), 0x20, sizeof(AmdSession));
    }
    used.clear();
    fakes_.begin();
    EXPECT_EQ(fakes_.create_queue(), 0);
}

TEST_F(AmdSessionTest, KeepsAFailedMaskOnTheRecord) {
    fakes_.ruling.on_error = policy::OnError::kWarn;
    fakes_.begin();
    fakes_.refuse_masks(EINVAL, 1);
    EXPECT_EQ(fakes_.create_queue(), 0);
    EXPECT_EQ(fakes_.record().state, state::State::kUnshared);
    EXPECT_EQ(fakes_.create_queue(), 0);
    EXPECT_EQ(fakes_.record().state, state::State::kUnshared);
    EXPECT_THAT(fakes_.record().why, HasSubstr("refuses the CU mask"));
    EXPECT_FALSE(fakes_.session().no_streams());
}

TEST_F(AmdSessionTest, RefusesStreamsAfterAFailedMask) {
    fakes_.begin();
    fakes_.refuse_masks(EBUSY, 1);
    EXPECT_EQ(fakes_.create_queue(), -1);
    HipStream stream = nullptr;
    EXPECT_EQ(amd_hook::hipStreamCreate(&stream), amd::kHipErrorNoDevice);
    EXPECT_THAT(fakes_.asked.calls, IsEmpty());
    EXPECT_EQ(fakes_.create_queue(), 0);
    EXPECT_EQ(fakes_.record().state, state::State::kRefused);
}

// Publishing and writing to the log are full of cancellation points.
TEST_F(AmdSessionTest, IsNotCancelledInTheMiddleOfAGrant) {
    fakes_.begin();
    int result = -1;
    EXPECT_TRUE(cancelled_in([&] {
        result = fakes_.create_queue();
        pthread_testcancel();
    }));
    EXPECT_EQ(result, 0);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
    EXPECT_EQ(fakes_.create_queue(), 0) << "no lock is left behind";
}

TEST_F(AmdSessionTest, IsNotCancelledInTheMiddleOfAGrantWithoutAMask) {
    fakes_.ruling.plan.devices[0].mask = {};
    fakes_.begin();
    HsaStatus result = amd::kHsaError;
    EXPECT_TRUE(cancelled_in([&] {
        result = amd_hook::hsa_init();
        pthread_testcancel();
    }));
    EXPECT_EQ(result, amd::kHsaSuccess);
    EXPECT_EQ(fakes_.record().state, state::State::kGranted);
}

TEST_F(AmdSessionTest, IsNotCancelledInTheMiddleOfAComplaint) {
    fakes_.begin();
    HipError result = amd::kHipSuccess;
    HipStream stream = nullptr;
    const std::uint32_t beyond = 0xff000000;
    EXPECT_TRUE(cancelled_in([&] {
        result = amd_hook::hipExtStreamCreateWithCUMask(&stream, 1, &beyond);
        pthread_testcancel();
    }));
    EXPECT_EQ(result, amd::kHipErrorInvalidValue);
}

TEST_F(AmdSessionTest, TriesTheKernelOnceHsaIsInitialised) {
    fakes_.begin();
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaSuccess);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init", "queue"));
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaSuccess);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init", "queue", "hsa_init"));
}

TEST_F(AmdSessionTest, TriesTheKernelOnceHipIsThere) {
    fakes_.asked.hip = false;
    fakes_.begin();
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaSuccess);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init"));
    fakes_.asked.hip = true;
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaSuccess);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init", "hsa_init", "queue"));
}

// An APU's processor is of the same node, and makes no queue.
TEST_F(AmdSessionTest, TriesNothingOnAProcessor) {
    fakes_.asked.device_type = 0;  // HSA_DEVICE_TYPE_CPU
    fakes_.begin();
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaSuccess);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init"));
}

TEST_F(AmdSessionTest, TriesNothingWhereARefusalIsAWarning) {
    fakes_.ruling.on_error = policy::OnError::kWarn;
    fakes_.begin();
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaSuccess);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init"));
}

TEST_F(AmdSessionTest, RefusesHsaWhereTheKernelTakesNoMask) {
    fakes_.begin();
    fakes_.refuse_masks(EINVAL);
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaErrorOutOfResources);
    EXPECT_THAT(fakes_.asked.calls, ElementsAre("hsa_init", "queue", "shut down"));
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaErrorOutOfResources);
    EXPECT_EQ(amd_hook::hipInit(0), amd::kHipErrorNoDevice);
    EXPECT_EQ(fakes_.asked.calls.size(), 3U);
    EXPECT_EQ(fakes_.record().state, state::State::kRefused);
}

TEST_F(AmdSessionTest, HipInitSaysWhatItsHsaMet) {
    fakes_.begin();
    fakes_.refuse_masks(EINVAL);
    fakes_.asked.inside_init = [] { amd_hook::hsa_init(); };
    EXPECT_EQ(amd_hook::hipInit(0), amd::kHipErrorNoDevice);
}

TEST_F(AmdSessionTest, WhatHipCallsOfItselfPassesThrough) {
    fakes_.ruling.kind = AmdRuling::Kind::kRefused;
    fakes_.begin();
    HipStream stream = nullptr;
    EXPECT_EQ(amd_hook::hipStreamCreate(&stream), amd::kHipErrorNoDevice);
    ++depths[static_cast<unsigned>(Library::HIP)];
    EXPECT_EQ(amd_hook::hipStreamCreate(&stream), amd::kHipSuccess);
    --depths[static_cast<unsigned>(Library::HIP)];
    EXPECT_EQ(amd_hook::hsa_init(), amd::kHsaErrorOutOfResources);
}

TEST_F(AmdSessionTest, TellsAStreamOfItsOwnDevice) {
    fakes_.plan_on(amd::mi210(1)).mask = {0xff, 0, 0, 0};
    fakes_.begin();
    EXPECT_EQ(told(stream_of(0))[0], 0xffffffU);
    EXPECT_EQ(told(stream_of(1))[0], 0xffU);
    EXPECT_EQ(told(nullptr)[0], 0xffffffU);
    fakes_.asked.current = 1;
    EXPECT_EQ(told(stream_of(0))[0], 0xffffffU);
    EXPECT_EQ(told(nullptr)[0], 0xffU);
}

TEST_F(AmdSessionTest, TellsWhatHipsOwnMaskLeaves) {
    fakes_.ruling.plan.devices[0].hip_mask = {0xff, 0, 0, 0};
    fakes_.begin();
    EXPECT_EQ(told(stream_of(0))[0], 0xffU);
    for (const std::uint32_t asked : {0xf0fU, 0xf00U}) {
        HipStream stream = nullptr;
        EXPECT_EQ(amd_hook::hipExtStreamCreateWithCUMask(&stream, 1, &asked), amd::kHipSuccess);
        EXPECT_EQ(told(stream)[0], asked == 0xf0fU ? 0xfU : 0xffU);
    }
}

TEST_F(AmdSessionTest, AMaskThatDoesNotFitIsNotToldInPart) {
    fakes_.ruling.plan.devices[0].mask = {0, 0xff, 0, 0};
    fakes_.begin();
    EXPECT_EQ(told(nullptr, 2)[1], 0xffU);
    EXPECT_EQ(told_code_, amd::kHipSuccess);
    EXPECT_THAT(told(nullptr, 1), ElementsAre(0xdead));
    EXPECT_EQ(told_code_, amd::kHipErrorInvalidValue);
}

TEST_F(AmdSessionTest, ChecksWhatAStreamAsksFor) {
    fakes_.begin();
    HipStream stream = nullptr;
    const std::uint32_t beyond = 0xff000000;
    EXPECT_EQ(amd_hook::hipExtStreamCreateWithCUMask(&stream, 1, &beyond),
              amd::kHipErrorInvalidValue);
    EXPECT_THAT(fakes_.asked.calls, IsEmpty());
}

TEST_F(AmdSessionTest, CountsPartitionsOfAGpuAsHipDoes) {
    amd::Gpu other = amd::mi210(1);
    other.pci = amd::mi210(0).pci;
    fakes_.plan_on(other);
    fakes_.ruling.plan.hip_devices = {1};
    for (auto& device : fakes_.ruling.plan.devices) device.memory = 1ULL << 30U;
    fakes_.begin();
    EXPECT_EQ(fakes_.allocate(other.gpu_id, 1ULL << 29U), 0);
    std::size_t free = 0;
    std::size_t total = 0;
    EXPECT_EQ(amd_hook::hipMemGetInfo(&free, &total), amd::kHipSuccess);
    EXPECT_EQ(free, 1ULL << 29U);
    EXPECT_EQ(total, 1ULL << 30U);
}

TEST_F(AmdSessionTest, LowersTheNumberOfCus) {
    fakes_.begin();
    std::uint32_t cus = 0;
    EXPECT_EQ(amd_hook::hsa_agent_get_info({1}, amd::kHsaAmdAgentInfoComputeUnitCount, &cus),
              amd::kHsaSuccess);
    EXPECT_EQ(cus, 24U);
    fakes_.asked.node = 9;
    amd_hook::hsa_agent_get_info({1}, amd::kHsaAmdAgentInfoComputeUnitCount, &cus);
    EXPECT_EQ(cus, 104U) << "no GPU of the plan";
    fakes_.asked.node = 1;
    fakes_.asked.device_type = 0;
    amd_hook::hsa_agent_get_info({1}, amd::kHsaAmdAgentInfoComputeUnitCount, &cus);
    EXPECT_EQ(cus, 104U) << "an APU's processor, of the GPU's node";
}

TEST_F(AmdSessionTest, HooksWhatThePlanNeeds) {
    fakes_.begin();
    EXPECT_TRUE(fakes_.hooked(Hook::hsa_agent_get_info));
    EXPECT_FALSE(fakes_.hooked(Hook::hipMemGetInfo));
    EXPECT_FALSE(fakes_.hooked(Hook::cuInit));
}

TEST_F(AmdSessionTest, LeavesTheNumberOfCusToHipsOwnMask) {
    fakes_.ruling.plan.hip_masks = true;
    fakes_.begin();
    EXPECT_FALSE(fakes_.hooked(Hook::hsa_agent_get_info));
    EXPECT_TRUE(fakes_.hooked(Hook::hipExtStreamGetCUMask));
}

}  // namespace
}  // namespace ration::engine
