#include "shim/engine/amd_session.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "shim/amd/grant.h"
#include "shim/amd/program_memory.h"
#include "shim/amd/whole_call.h"
#include "shim/engine/amd_hooks.h"
#include "shim/engine/amd_trial.h"
#include "shim/engine/log.h"
#include "shim/host/undisturbed.h"
#include "shim/host/undisturbed_lock.h"

namespace ration::engine {
namespace {

using amd::DeviceLimit;
using amd::kfd::Request;

std::atomic<AmdSession*> newest{nullptr};

std::optional<std::string> variable(const std::string& name) {
    const char* const value = getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

amd::Quota::Limits memory_of(const amd::Plan& plan) {
    amd::Quota::Limits limits;
    for (const DeviceLimit& device : plan.limits()) {
        if (device.memory) limits[device.gpu.gpu_id] = *device.memory;
    }
    return limits;
}

amd::kfd::Ioctl real_ioctl(const ration_front& front) {
    return reinterpret_cast<amd::kfd::Ioctl>(front.real(static_cast<std::uint32_t>(Hook::ioctl)));
}

// What is done and what the kernel answered, for RATION_LOG_LEVEL=debug.
std::string plan_text(const amd::Plan& plan) {
    std::string text;
    for (const host::Edit& edit : plan.lasting) text += " " + edit.name + "=" + edit.value;
    for (const DeviceLimit& device : plan.devices) {
        text += " " + describe(device.gpu) + ": " +
                (device.mask.empty() ? "all CUs" : amd::hexadecimal(device.mask));
    }
    return text;
}

}  // namespace

AmdSession::AmdSession(const ration_front& front, AmdSession* former, Findings findings)
    : generation_(host::generation()),
      ioctl_(real_ioctl(front)),
      counts_memory_(!memory_of(findings.ruling.plan).empty()),
      front_(front),
      former_(former),
      ruling_(std::move(findings.ruling)),
      passed_over_(std::move(findings.passed_over)),
      overlay_({}, ruling_.plan.lasting),
      queues_(
          ioctl_,
          [this](int descriptor) {
              return device_file_.is_asked(descriptor, AMDKFD_IOC_SET_CU_MASK);
          },
          ruling_.plan.limits(),
          {[this] { granted(); }, [this](const std::string& line) { not_masked(line); },
           [this](const std::string& line) { complain(line); }},
          ruling_.on_error == policy::OnError::kWarn),
      quota_(ioctl_, memory_of(ruling_.plan), static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))),
      recorder_(ruling_.record) {
    if (ruling_.kind == AmdRuling::Kind::kRefused) stage_ = Stage::kRefused;
    if (ruling_.kind == AmdRuling::Kind::kConfined) stage_ = Stage::kConfined;
}

AmdSession::Findings AmdSession::find_out() {
    const policy::Found found = policy::find(&variable);
    Findings findings;
    for (const policy::Diagnostic& place : found.passed_over) {
        findings.passed_over.push_back("does not count: " + format(place));
    }
    findings.ruling =
        rule_amd(found, policy::this_process(), {&variable, [] { return amd::read_topology(); }});
    return findings;
}

void AmdSession::begin(const ration_front& front) { begin(front, find_out()); }

// A library that is not there yet is hooked too: HIP may load HSA late.
void AmdSession::begin(const ration_front& front, Findings findings) {
    AmdSession* const former = newest.load(std::memory_order_acquire);
    std::unique_ptr<AmdSession> session(new AmdSession(front, former, std::move(findings)));
    std::array<void*, kHookCount> targets{};
    for (unsigned row = 0; row < kHookCount; ++row) {
        const auto hook = static_cast<Hook>(row);
        const bool hooked = vendor_of(hook) == Vendor::kAmd &&
                            session->stage_ != Stage::kUntouched && session->needed(hook);
        targets[row] = hooked ? amd_hook_function(hook) : nullptr;
    }
    const auto commit = [](void* ours) { static_cast<AmdSession*>(ours)->commit(); };
    if (front.install(kAmd, targets.data(), commit, session.get()) == 0) return;
    session.release()->announce();
}

AmdSession* AmdSession::find() {
    AmdSession* session = newest.load(std::memory_order_acquire);
    if (session->ours() || session->front_.decide(kAmd) == 0) return session;
    session = newest.load(std::memory_order_acquire);
    return session->ours() ? session : nullptr;
}

AmdSession& AmdSession::current() {
    AmdSession* const session = find();
    if (session == nullptr) throw std::bad_alloc();
    return *session;
}

int AmdSession::without_session(const amd::kfd::Call& call) {
    AmdSession& parents = *newest.load(std::memory_order_acquire);
    if (!parents.device_file_.is_asked(call.descriptor, call.number)) return parents.pass(call);
    errno = EPERM;
    return -1;
}

// Between the front's decision and the first call that it lets through. ROCr reads its list of
// devices once, while it is initialised, and that is still to come: by hsa_init, which HIP calls
// too.
void AmdSession::commit() {
    newest.store(this, std::memory_order_release);
    if (ruling_.kind == AmdRuling::Kind::kUntouched) return;
    try {
        overlay_.enter();
        overlay_.leave();
    } catch (...) {  // no memory: as if the policy had named no device
    }
}

// Once in a process, by the thread that came first.
void AmdSession::announce() {
    for (const std::string& line : passed_over_) log::write(log::Level::kInfo, line);
    if (ruling_.kind == AmdRuling::Kind::kUntouched) {
        log::write(log::Level::kInfo, "no share of AMD GPUs for this process");
        return;
    }
    const bool refused = ruling_.kind == AmdRuling::Kind::kRefused;
    for (const std::string& line : ruling_.lines) {
        log::write(refused ? log::Level::kError : log::Level::kWarn, line);
    }
    {
        const host::UndisturbedLock lock(mutex_);
        recorder_.publish();
    }
    if (ruling_.kind == AmdRuling::Kind::kUnshared) return;
    log::write(log::Level::kDebug, ruling_.record.partition + " by " + ruling_.record.policy + ":" +
                                       plan_text(ruling_.plan));
}

bool AmdSession::needed(Hook hook) const {
    if (ruling_.kind == AmdRuling::Kind::kRefused) return true;
    switch (hook) {
        case Hook::hipExtStreamCreateWithCUMask:
        case Hook::hipExtStreamGetCUMask:
            return ruling_.plan.masks();
        // HIP 5.2.3 cuts ROC_GLOBAL_CU_MASK up by the count that it is told, and a lowered one ends
        // the process by std::out_of_range (run: Debian 12's, simulated kernel driver).
        case Hook::hsa_agent_get_info:
            return ruling_.plan.masks() && !ruling_.plan.hip_masks;
        case Hook::hipMemGetInfo:
            return counts_memory_;
        default:
            return true;
    }
}

void* AmdSession::real_address(Hook hook) const {
    std::atomic<void*>& known = known_[static_cast<unsigned>(hook)];
    void* address = known.load(std::memory_order_relaxed);
    if (address == nullptr) {
        address = front_.real(static_cast<std::uint32_t>(hook));
        known.store(address, std::memory_order_relaxed);
    }
    return address;
}

// For HIP alone, which crashes where its null stream can have no queue (5.2.3): others get the
// error from what makes queues. It may be loaded after HSA, and then initialises that again. A
// thread that comes while another one tries goes on: it will see what that one sees.
amd::HsaStatus AmdSession::initialised() {
    if (!ruling_.plan.masks()) {
        granted();
        return amd::kHsaSuccess;
    }
    const bool warn = ruling_.on_error == policy::OnError::kWarn;
    if (warn || real<Hook::hipInit>() == nullptr) return amd::kHsaSuccess;
    if (tried_.exchange(true)) return amd::kHsaSuccess;
    const host::Uncancelled uncancelled;
    const Deeper deeper(front_, Library::HSA);
    try_masks(front_, ruling_.plan);
    if (!no_streams()) return amd::kHsaSuccess;
    const auto hsa = static_cast<std::uint32_t>(Library::HSA);
    const auto shut_down =
        reinterpret_cast<amd::type::hsa_shut_down*>(front_.find(hsa, "hsa_shut_down"));
    if (shut_down != nullptr) shut_down();
    return amd::kHsaErrorOutOfResources;
}

// The kernel took the first mask, or there is none to take. A mask that failed before stays on the
// record: a queue runs without its share, or could not be had.
void AmdSession::granted() {
    if (settled_.load(std::memory_order_acquire)) return;
    const host::UndisturbedLock lock(mutex_);
    if (settled_.exchange(true)) return;
    recorder_.publish_grant([this](state::Record& record) { amd::describe(ruling_.plan, record); });
    const state::Record& record = recorder_.record();
    log::write(log::Level::kInfo,
               "asked " + record.asked + ", granted " + record.granted + ", " + record.mechanism);
    for (const std::string& note : ruling_.plan.notes) {
        log::write(log::Level::kInfo, "note: " + note);
    }
}

void AmdSession::complain(const std::string& line) {
    const host::UndisturbedLock lock(mutex_);
    if (said_.insert(line).second) log::write(log::Level::kError, line);
}

// Where HIP's first masks are refused, hsa_init fails (initialised()). Later the program is at
// work, and what is left is to refuse streams before HIP comes to the kernel: without a queue for
// its null stream HIP 5.2.3 crashes (run: Debian 12's, simulated kernel driver).
void AmdSession::not_masked(const std::string& line) {
    const bool warn = ruling_.on_error == policy::OnError::kWarn;
    complain(warn ? line + "; runs without its share, as on_error = \"warn\" says" : line);
    const host::UndisturbedLock lock(mutex_);
    settled_.store(true, std::memory_order_release);
    recorder_.publish(warn ? state::State::kUnshared : state::State::kRefused, line);
    if (!warn) no_queues_.store(true, std::memory_order_release);
}

int AmdSession::ioctl(const amd::kfd::Call& call) {
    if (!ours() || call.argument == nullptr ||
        !device_file_.is_asked(call.descriptor, call.number)) {
        return pass(call);
    }
    if (refused()) {
        errno = EPERM;
        return -1;
    }
    if (!amd::can_read(call.argument, _IOC_SIZE(call.number))) {
        errno = EFAULT;
        return -1;
    }
    const amd::kfd::WholeCall whole(call);
    switch (amd::kfd::request_of(call.number)) {
        case Request::kCreateQueue:
            return queues_.create(whole.call());
        case Request::kDestroyQueue:
            return queues_.destroy(whole.call());
        case Request::kSetCuMask:
            return queues_.set_mask(whole.call());
        case Request::kAllocateMemory:
            return quota_.allocate(whole.call());
        case Request::kFreeMemory:
            return quota_.free(whole.call());
        case Request::kAvailableMemory:
            return quota_.available(whole.call());
        case Request::kOther:
            break;
    }
    return amd::kfd::pass(ioctl_, call);
}

std::optional<DeviceLimit> AmdSession::limit_of_node(unsigned node) const {
    for (const DeviceLimit& limit : queues_.limits()) {
        if (limit.gpu.node == node) return limit;
    }
    return std::nullopt;
}

std::optional<int> AmdSession::current_device() const {
    const auto get = hip_function<amd::type::hipGetDevice>("hipGetDevice");
    const Deeper deeper(front_, Library::HIP);
    int device = 0;
    if (get == nullptr || get(&device) != amd::kHipSuccess) return std::nullopt;
    return device;
}

std::optional<int> AmdSession::device_of(amd::HipStream stream) const {
    const auto get = hip_function<amd::type::hipGetStreamDeviceId>("hipGetStreamDeviceId");
    if (get == nullptr || amd::is_of_current_device(stream)) return current_device();
    const Deeper deeper(front_, Library::HIP);
    const int device = get(stream);
    return device < 0 ? current_device() : device;
}

// "0000:c1:00.0"
std::optional<std::string> AmdSession::address_of(int device) const {
    const auto tell = hip_function<amd::type::hipDeviceGetPCIBusId>("hipDeviceGetPCIBusId");
    const Deeper deeper(front_, Library::HIP);
    char address[64] = "";
    if (tell == nullptr || tell(address, sizeof address, device) != amd::kHipSuccess) {
        return std::nullopt;
    }
    return address;
}

// By PCI address; partitions of one GPU share it, and there HIP's number decides.
std::optional<DeviceLimit> AmdSession::limit_of_device(std::optional<int> device) const {
    const std::vector<DeviceLimit> limits = queues_.limits();
    if (limits.size() == 1) return limits.front();
    const auto address = device ? address_of(*device) : std::nullopt;
    if (!address) return std::nullopt;
    std::vector<const DeviceLimit*> there;
    for (const DeviceLimit& limit : limits) {
        if (strcasecmp(limit.gpu.pci.c_str(), address->c_str()) == 0) there.push_back(&limit);
    }
    if (there.size() == 1) return *there.front();
    const amd::Plan& plan = ruling_.plan;
    const auto number = static_cast<std::size_t>(*device);
    if (number >= plan.hip_devices.size()) return std::nullopt;
    return limit_of_node(plan.devices[plan.hip_devices[number]].gpu.node);
}

std::optional<DeviceLimit> AmdSession::limit_of_current_device() const {
    return limit_of_device(current_device());
}

std::optional<DeviceLimit> AmdSession::limit_of_stream(amd::HipStream stream) const {
    return limit_of_device(device_of(stream));
}

std::uint64_t AmdSession::memory_left(const DeviceLimit& limit) const {
    return quota_.left(limit.gpu.gpu_id);
}

amd::Queues::Replaced AmdSession::resize(std::vector<DeviceLimit> limits) {
    return queues_.replace(std::move(limits));
}

}  // namespace ration::engine
