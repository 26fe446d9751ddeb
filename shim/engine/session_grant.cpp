// What a session is granted: read back from the driver, accepted or refused.
#include <bit>
#include <utility>

#include "shim/cuda/admission.h"
#include "shim/cuda/context_error.h"
#include "shim/engine/log.h"
#include "shim/engine/memory_quota.h"
#include "shim/engine/session.h"
#include "shim/engine/totals.h"

namespace ration::engine {

using cuda::Refusal;
using host::HeldSignals;

namespace {

std::string with_code(const std::string& what, CUresult code) {
    return what + " answered error " + std::to_string(code);
}

}  // namespace

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
    const std::optional<Judgement> judgement = read_back();
    if (!judgement) return CUDA_SUCCESS;
    GreenWait wait(longest_wait());
    while (true) {
        if (const auto code = conclude(*judgement, wait)) {
            let_go();
            return *code;
        }
        if (const CUresult ended = sleep(wait)) return ended;
    }
}

// Nothing where the driver is not ready: a thread of a tool may come back from its cuInit before.
std::optional<Session::Judgement> Session::read_back() {
    const HeldSignals held(HeldSignals::Which::kHandled);
    const host::Uncancelled uncancelled;
    const Deeper deeper(*this);
    const auto readings = cuda::read_devices(driver_, ruling_.plan.applied == cuda::Applied::kMig);
    if (readings.code == CUDA_ERROR_NOT_INITIALIZED) return std::nullopt;
    return judge(readings);
}

// Nothing where others hold the groups that are wanted.
std::optional<CUresult> Session::conclude(const Judgement& judgement, GreenWait& wait) {
    const HeldSignals held(HeldSignals::Which::kAll);
    const host::Uncancelled uncancelled;
    const Deeper deeper(*this);
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::kRefused) return code_;
    if (stage_ != Stage::kWaiting) return CUDA_SUCCESS;
    overlay_.tidy();
    if (const Refusal* refusal = cuda::refusal_of(judgement.grant)) return refuse(*refusal);
    const auto& grant = std::get<cuda::Grant>(judgement.grant);
    if (green_ == nullptr) return accept(grant, {});
    const auto placed = green_->place_certain(judgement.parts, grant, wait);
    if (!placed) {
        say_waiting(wait);
        wait.note_end(held);
        return std::nullopt;
    }
    if (const Refusal* refusal = cuda::refusal_of(*placed)) return refuse(*refusal);
    return accept(std::get<cuda::Grant>(*placed), judgement.parts);
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

CUresult Session::accept(const cuda::Grant& grant, const GreenCourse::Parts& parts) {
    if (const auto refusal = start_counting(grant)) return refuse(*refusal);
    grant_ = grant;
    if (green_ != nullptr) green_->adopt(parts);
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

void Session::publish_grant() {
    recorder_.publish_grant([this](state::Record& record) { cuda::describe(grant_, record); });
}

}  // namespace ration::engine
