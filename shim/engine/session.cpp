#include "shim/engine/session.h"

#include <stdlib.h>

#include <memory>
#include <new>
#include <utility>

#include "shim/cuda/real.h"
#include "shim/engine/driver_table.h"
#include "shim/engine/errno_keeper.h"
#include "shim/engine/log.h"
#include "shim/engine/stream_hooks.h"
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

}  // namespace

Session::Session(const ration_front& front, Session* former, Findings findings)
    : front_(front),
      former_(former),
      generation_(host::generation()),
      driver_(driver_table(front)),
      ruling_(std::move(findings.ruling)),
      green_(ruling_.plan.green ? std::make_unique<GreenCourse>(front, ruling_.plan) : nullptr),
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

void Session::revive_from_now_on() {
    Session* const session = newest.load(std::memory_order_acquire);
    if (session->green_ == nullptr || !session->green_->homes().any_ended()) return;
    session->apart([session](bool nested) {
        if (!nested) session->begin_reviving();
        return CUDA_SUCCESS;
    });
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
