// A long sleep in a thread of the program.
#pragma once

#include <chrono>

#include "shim/host/undisturbed.h"

namespace ration::host {

// Where nothing of ours is held: the program's signal handlers run and may leave by longjmp, and
// the thread may be cancelled. True as soon as SIGINT or SIGTERM has come and its handler has
// returned: who sends these wants the program to end, and a handler may leave that to do when the
// call that it interrupts is over (CPython's). Handlers of other signals end nothing. Which signals
// the thread blocks is never changed.
bool sleep_unless_end_is_asked(std::chrono::nanoseconds duration);

// Whether such a signal waits for `held` to end, to run its handler.
bool end_was_asked(const HeldSignals& held);

}  // namespace ration::host
