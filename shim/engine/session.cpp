#include "shim/engine/session.h"

#include <stdlib.h>

#include <bit>
#include <memory>
#include <new>
#include <utility>

#include "shim/cuda/admission.h"
#include "shim/cuda/context_error.h"
#include "shim/cuda/real.h"
#include "shim/engine/driver_table.h"
#include "shim/engine/errno_keeper.h"
#include "shim/engine/log.h"
#include "shim/engine/memory_quota.h"
#include "shim/engine/stream_hooks.h"
#include "shim/engine/totals.h"
#include "shim/host/generation.h"
#include "shim/policy/search.h"
#include "shim/policy/wording.h"
#include "shim/state/turn.h"

namespace ration::engine {
namespace {

using cuda::Refusal;

using host::HeldSignals;

std::atomic<Session*> newest{nullptr};
state::Turn::Word taking_back{0};

std::optional<std::string> variable(const std::string& name) {
    const char* const value = getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

cuda::Surroundings surroundings() {
    return {&variable, &cuda::read_inventory, [] {
                return cuda::probe_pipes(variable(cuda::kMpsPipeVariable),
                                         runtime_directory(false));
            }};
}

// What the driver is told, for RATION_LOG_LEVEL=debug.
std::string edits_text(const cuda::Plan& plan) {
    constexpr std::size_t kLongest = 400;
    std::string text;
    for (const host::Edits* edits : {&plan.temporary, &plan.lasting}) {
        for (const host::Edit& edit : *edits)
            text += " " + edit.name + "=" + policy::one_line(edit.value, kLongest);
    }
    return text.empty() ? " nothing" : text;
}

// A device past the bits that we have is never checked off, and always looked at.
std::uint64_t bit_of(CUdevice device) {
    constexpr CUdevice kBits = 64;
    return device >= 0 && device < kBits ? std::uint64_t{1} << device : 0;
}

std::string with_code(const std::string& what, CUresult code) {
    return what + " answered error " + std::to_string(code);
}

}  // namespace

Session::Session(const ration_front& front, Session* former, Findings findings)
    : front_(front),
      former_(former),
      generation_(host::generation()),
      driver_(driver_table(front)),
      ruling_(std::move(findings.ruling)),
      green_(ruling_.plan.green ? std::make_unique<GreenCourse>(
                                      front, ruling_.plan,
                                      [this](CUdevice device, const std::string& groups) {
                                          placed(device, groups);
                                      })
                                : nullptr),
      passed_over_(std::move(findings.passed_over)),
      overlay_(ruling_.plan.temporary, ruling_.plan.lasting),
      recorder_(ruling_.record) {
    cuda::look_up_by(front.real);
    for_each_hook([&](Hook hook) {
        present_[static_cast<unsigned>(hook)] = front.real(static_cast<uint32_t>(hook)) != nullptr;
    });
    code_ = ruling_.code;
    if (ruling_.kind == Ruling::Kind::kRefused) stage_ = Stage::kRefused;
    if (ruling_.kind == Ruling::Kind::kConfined) stage_ = Stage::kWaiting;
}

Session::Findings Session::find_out() {
    const policy::Found found = policy::find(&variable);
    Findings findings;
    for (const policy::Diagnostic& place : found.passed_over) {
        findings.passed_over.push_back("does not count: " + format(place));
    }
    findings.ruling = rule(found, policy::this_process(), surroundings());
    return findings;
}

void Session::begin(const ration_front& front) {
    Session* const former = newest.load(std::memory_order_acquire);
    if (former != nullptr) former->take_back_in_child();
    std::unique_ptr<Session> session(new Session(front, former, find_out()));
    if (session->green_ != nullptr && !begin_streams(front)) throw std::bad_alloc();
    std::array<void*, kHookCount> targets{};
    session->for_each_hook([&](Hook hook) {
        const bool hooked = session->stage_ != Stage::kUntouched && session->has(hook);
        targets[static_cast<unsigned>(hook)] = hooked ? session->function_of(hook) : nullptr;
    });
    const auto commit = [](void* ours) { static_cast<Session*>(ours)->commit(); };
    if (front.install(kNvidia, targets.data(), commit, session.get()) == 0) return;
    session.release()->announce();
}

// The parent may have been inside cuInit in another thread.
void Session::take_back_in_child() {
    const std::uint32_t here = host::generation();
    if (generation_ == here) return;
    const state::Turn turn(taking_back);
    if (std::exchange(taken_back_in_, here) != here) overlay_.leave_in_child();
}

Session& Session::current() {
    Session* session = newest.load(std::memory_order_acquire);
    if (session->generation_ == host::generation()) return *session;
    if (session->front_.decide(kNvidia) == 0) return *session;
    session = newest.load(std::memory_order_acquire);
    if (session->generation_ != host::generation()) throw std::bad_alloc();
    return *session;
}

// From within the driver, or from within the work on the decision of a forked child.
bool Session::passes_through() const {
    return *front_.depth(kCuda) > 0 || generation_ != host::generation();
}

// Between the front's decision and the first call that it lets through.
void Session::commit() {
    newest.store(this, std::memory_order_release);
    if (ruling_.kind != Ruling::Kind::kUnshared) return;
    try {
        overlay_.enter();
        overlay_.leave();
    } catch (...) {  // no memory: as if the policy had named no device
    }
}

// Once in a process, by the thread that came first. Another may have read the grant meanwhile: the
// record that is published is the newest one.
void Session::announce() {
    for (const std::string& line : passed_over_) log::write(log::Level::kInfo, line);
    if (ruling_.kind == Ruling::Kind::kUntouched) {
        log::write(log::Level::kInfo, "no share for this process");
        return;
    }
    const bool refused = ruling_.kind == Ruling::Kind::kRefused;
    for (const std::string& line : ruling_.lines) {
        log::write(refused ? log::Level::kError : log::Level::kWarn, line);
    }
    {
        const std::lock_guard lock(mutex_);
        recorder_.publish();
    }
    if (ruling_.kind == Ruling::Kind::kUnshared) return;
    log::write(log::Level::kDebug, ruling_.record.partition + " by " + ruling_.record.policy +
                                       "; tells the driver:" + edits_text(ruling_.plan));
}

// Where the thread is cancelled, too, the environment is taken back.
CUresult Session::real_init(unsigned int flags) {
    const host::Uncancelled uncancelled;
    const host::Overlay::Inside inside(overlay_);
    const Deeper deeper(*this);
    const host::Uncancelled::Pause pause(uncancelled);
    return driver_.cuInit(flags);
}

CUresult Session::init(unsigned int flags) {
    if (passes_through()) return driver_.cuInit(flags);
    switch (stage_.load(std::memory_order_acquire)) {
        case Stage::kRefused:
            return code_;
        case Stage::kUntouched:
        case Stage::kGranted:
            return driver_.cuInit(flags);
        case Stage::kWaiting:
            break;
    }
    const CUresult result = real_init(flags);
    if (result == CUDA_SUCCESS) return settle();
    init_failed(result);
    return result;
}

void Session::init_failed(CUresult code) {
    const HeldSignals held(HeldSignals::Which::kHandled);
    const host::Uncancelled uncancelled;
    const std::lock_guard lock(mutex_);
    cuda::Grant wanted;
    wanted.mechanism = ruling_.plan.applied == cuda::Applied::kMps ? "mps" : "none";
    const auto line = cuda::explain_context_error(code, wanted);
    if (line) {
        say_once(code, *line);
    } else {
        log::write(log::Level::kInfo, with_code("the driver's cuInit", code));
    }
    recorder_.publish(line ? state::State::kRefused : state::State::kStarting,
                      line.value_or(with_code("the driver's cuInit", code)));
}

// Reads the grant back. All who come from the real cuInit before it is known do so by themselves,
// since NVML may have to be loaded for it, and the first that is ready is believed: nobody waits
// for the loader, or for a thread that is inside the real cuInit.
CUresult Session::settle() {
    const HeldSignals held(HeldSignals::Which::kHandled);
    const host::Uncancelled uncancelled;
    const Deeper deeper(*this);
    const auto readings = cuda::read_devices(driver_, ruling_.plan.applied == cuda::Applied::kMig);
    // A thread of a tool may come back from its cuInit before the driver is ready.
    if (readings.code == CUDA_ERROR_NOT_INITIALIZED) return CUDA_SUCCESS;
    const Judgement judgement = judge(readings);
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::kRefused) return code_;
    if (stage_ != Stage::kWaiting) return CUDA_SUCCESS;
    overlay_.tidy();
    if (const Refusal* refusal = cuda::refusal_of(judgement.grant)) return refuse(*refusal);
    return accept(judgement);
}

Session::Judgement Session::judge(const cuda::Readings& read) const {
    Judgement judgement{verified(read), {}};
    auto* const grant = std::get_if<cuda::Grant>(&judgement.grant);
    if (green_ == nullptr || grant == nullptr) return judgement;
    auto divided = green_->divide(*grant);
    if (const Refusal* refusal = cuda::refusal_of(divided)) {
        judgement.grant = *refusal;
    } else {
        judgement.parts = std::move(std::get<GreenCourse::Parts>(divided));
    }
    return judgement;
}

cuda::Or<cuda::Grant> Session::verified(const cuda::Readings& read) const {
    if (read.code != CUDA_SUCCESS) {
        return Refusal{
            CUDA_ERROR_NOT_PERMITTED,
            "the grant cannot be read back: " + with_code("the driver's device query", read.code) +
                "; run `ration doctor`"};
    }
    const auto& readings = read.devices;
    TotalsSource totals(ruling_.plan, readings);
    auto judged = cuda::verify(ruling_.plan, readings, totals.remembered());
    auto* grant = std::get_if<cuda::Grant>(&judged);
    if (totals.worth_asking(grant)) {
        judged = cuda::verify(ruling_.plan, readings, totals.asked());
        grant = std::get_if<cuda::Grant>(&judged);
    }
    if (grant != nullptr) {
        if (const auto refusal = cuda::admit(ruling_.plan, grant->devices)) return *refusal;
        if (ruling_.plan.counted) {
            if (const auto refusal = read_quotas(*ruling_.plan.counted, *grant)) return *refusal;
        }
    }
    return judged;
}

std::optional<Refusal> Session::start_counting(const cuda::Grant& grant) {
    if (!ruling_.plan.counted) return std::nullopt;
    auto made = make_ledger(front_, *ruling_.plan.counted, grant);
    if (const Refusal* refusal = cuda::refusal_of(made)) return *refusal;
    ledger_.store(std::get<std::unique_ptr<cuda::quota::Ledger>>(made).release(),
                  std::memory_order_release);
    return std::nullopt;
}

CUresult Session::accept(const Judgement& judgement) {
    const auto& grant = std::get<cuda::Grant>(judgement.grant);
    if (const auto refusal = start_counting(grant)) return refuse(*refusal);
    grant_ = grant;
    if (green_ != nullptr) green_->adopt(judgement.parts);
    stage_.store(Stage::kGranted, std::memory_order_release);
    publish_grant();
    log::write(log::Level::kInfo, cuda::grant_line(recorder_.record()));
    for (const std::string& note : grant_.notes) log::write(log::Level::kInfo, "note: " + note);
    const bool confined = green_ != nullptr && green_->confines();
    if (confined || ruling_.plan.applied == cuda::Applied::kMps) {
        route(Hook::cuInit, false);
    } else if (green_ != nullptr && green_->takes_whole_later()) {
        await_contexts();
    } else {
        leave_contexts();
    }
    return CUDA_SUCCESS;
}

CUresult Session::refuse(const Refusal& refusal) {
    if (ruling_.on_error == policy::OnError::kWarn) {
        log::write(log::Level::kWarn,
                   refusal.line + "; runs without a share, as on_error = \"warn\" says");
        recorder_.publish(state::State::kUnshared, refusal.line);
        stage_.store(Stage::kUntouched, std::memory_order_release);
        route_all(false);
        return CUDA_SUCCESS;
    }
    log::write(log::Level::kError, refusal.line);
    recorder_.publish(state::State::kRefused, refusal.line);
    code_ = refusal.code;
    stage_.store(Stage::kRefused, std::memory_order_release);
    route_all(true);
    return refusal.code;
}

// Homes may live on other devices, and their contexts and streams are known to our hooks alone: so
// those stay, and a device that is refused is as one that is not confined.
CUresult Session::refuse_device(CUdevice device, const Refusal& refusal) {
    if (green_ == nullptr || ruling_.on_error != policy::OnError::kWarn) return refuse(refusal);
    checked_ |= bit_of(device);
    cuda::DeviceGrant& here = grant_.devices[static_cast<std::size_t>(device)];
    std::string line = refusal.line + "; goes on";
    if (green_->residence(device) == nullptr) {
        line = refusal.line + "; runs without a share of " + here.uuid;
        unshared_ |= bit_of(device);
        here.granted = here.total;
        here.groups.clear();
    }
    log::write(log::Level::kWarn, line + ", as on_error = \"warn\" says");
    grant_.notes.push_back(line);
    publish_grant();
    const auto unshared = static_cast<std::size_t>(std::popcount(unshared_));
    if (unshared >= grant_.devices.size()) recorder_.publish(state::State::kUnshared, line);
    if (all_checked()) leave_contexts();
    return CUDA_SUCCESS;
}

// Also where the program's cuInit never came by us: then the driver has not heard of the share, and
// the verification finds that out.
CUresult Session::before_context() {
    switch (stage_.load(std::memory_order_acquire)) {
        case Stage::kRefused:
            return code_;
        case Stage::kWaiting:
            return settle();
        case Stage::kUntouched:
        case Stage::kGranted:
            break;
    }
    return CUDA_SUCCESS;
}

CUresult Session::before_memory() { return passes_through() ? CUDA_SUCCESS : before_context(); }

CUresult Session::after_context(CUresult result) {
    if (stage_.load(std::memory_order_acquire) != Stage::kGranted || all_checked()) return result;
    if (result != CUDA_SUCCESS) {
        context_failed(result);
        return result;
    }
    const auto device = cuda::context_device(driver_);
    if (!device || (is_checked(*device) && !in_doubt_)) return result;
    const auto no_whole = take_whole(*device);
    const HeldSignals held(HeldSignals::Which::kAll);
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::kRefused) return code_;
    if (stage_ != Stage::kGranted) return result;
    if (no_whole && !is_checked(*device)) return refuse_device(*device, *no_whole);
    if (!is_checked(*device)) {
        const cuda::ContextCheck check = cuda::check_context(driver_, grant_, *device);
        if (!check.done) return result;
        if (check.refusal) return refuse_device(*device, *check.refusal);
        if (const auto refusal = mark(*device)) return refuse_device(*device, *refusal);
        checked_ |= bit_of(*device);
    }
    if (in_doubt_.exchange(false)) publish_grant();
    if (all_checked()) leave_contexts();
    return result;
}

std::optional<Refusal> Session::take_whole(CUdevice device) {
    if (green_ == nullptr || !green_->takes_whole_later()) return std::nullopt;
    const HeldSignals held(HeldSignals::Which::kHandled);
    return green_->take_whole(device);
}

void Session::publish_grant() {
    recorder_.publish_grant([this](state::Record& record) { cuda::describe(grant_, record); });
}

// A whole device is not marked: it is what every process has that no policy speaks of.
std::optional<Refusal> Session::mark(CUdevice device) {
    constexpr double kWhole = 100;
    const bool known = device >= 0 && static_cast<std::size_t>(device) < grant_.devices.size();
    if (!known || ruling_.plan.percent.value_or(kWhole) >= kWhole) return std::nullopt;
    return mark_.set(grant_.devices[static_cast<std::size_t>(device)].uuid);
}

void Session::check_again(CUdevice device) { checked_ &= ~bit_of(device); }

bool Session::is_checked(CUdevice device) const { return (checked_ & bit_of(device)) != 0; }

// The devices do not change any more once the stage is kGranted.
bool Session::all_checked() const {
    return static_cast<std::size_t>(std::popcount(checked_.load())) >= grant_.devices.size();
}

CUresult Session::refuse_call(const Refusal& refusal) {
    const HeldSignals held(HeldSignals::Which::kAll);
    const std::lock_guard lock(mutex_);
    if (ruling_.on_error != policy::OnError::kWarn) {
        say_once(refusal.code, refusal.line);
        return refusal.code;
    }
    if (said_.insert(refusal.code).second) {
        log::write(log::Level::kWarn, refusal.line + "; goes on, as on_error = \"warn\" says");
    }
    return CUDA_SUCCESS;
}

void Session::keep_groups() {
    Session* const session = newest.load(std::memory_order_acquire);
    if (session == nullptr || session->green_ == nullptr || session->passes_through() ||
        session->stage_.load(std::memory_order_acquire) != Stage::kGranted) {
        return;
    }
    const ErrnoKeeper keeper;
    const HeldSignals held(HeldSignals::Which::kAll);
    const host::Uncancelled uncancelled;
    try {
        const auto found = session->green_->keep_groups();
        if (!found.empty()) session->dropped(found);
    } catch (const std::exception&) {  // no memory to say it; the program's call goes on
    }
}

void Session::context_failed(CUresult code) {
    const auto line = cuda::explain_context_error(code, grant_);
    if (!line) return;
    const HeldSignals held(HeldSignals::Which::kAll);
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kGranted) return;
    say_once(code, *line);
    recorder_.publish(state::State::kRefused, *line);
    in_doubt_ = true;
}

void Session::say_once(CUresult code, const std::string& line) {
    if (said_.insert(code).second) log::write(log::Level::kError, line);
}

std::optional<unsigned> Session::bound(CUdevice device) {
    if (stage_.load(std::memory_order_acquire) != Stage::kGranted || !ruling_.plan.percent) {
        return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(device);
    if (device < 0 || index >= grant_.devices.size()) return std::nullopt;
    return grant_.devices[index].granted;
}

}  // namespace ration::engine
