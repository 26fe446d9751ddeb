#include "shim/engine/session.h"

#include <unistd.h>

#include <atomic>

#include "shim/engine/driver_table.h"
#include "shim/engine/log.h"

namespace ration::engine {
namespace {

std::atomic<Session*> newest{nullptr};

}  // namespace

Session::Session(const ration_front& front, Session* former)
    : front_(front), former_(former), pid_(getpid()), driver_(driver_table(front)) {}

void Session::begin(const ration_front& front) {
    newest.store(new Session(front, newest.load()), std::memory_order_release);
    log::write(log::Level::kDebug, "attached");
}

Session& Session::current() {
    Session* const session = newest.load(std::memory_order_acquire);
    if (session->pid_ != getpid()) begin(session->front_);
    return *newest.load(std::memory_order_acquire);
}

CUresult Session::init(unsigned int flags) {
    const Deeper deeper(*this);
    return driver_.cuInit(flags);
}

}  // namespace ration::engine
