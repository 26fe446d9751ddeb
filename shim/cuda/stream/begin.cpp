#include "shim/cuda/stream/capture.h"
#include "shim/cuda/stream/dormancy.h"
#include "shim/cuda/stream/functions.h"
#include "shim/state/turn.h"

namespace ration::cuda::stream {
namespace {

state::Turn::Word beginning{0};

// Homes, streams and captures are the parent's, and stay on its GPU; its other threads are not
// here, and what they had locked is locked for ever.
void forget_parent() {
    renew_records();
    renew_domains();
    renew_dormancy();
    renew_threads();
    captures = 0;
}

}  // namespace

bool begin(const Real& driver, const Places& places) {
    if (is_own_process()) return true;
    const state::Turn turn(beginning);
    if (is_own_process()) return true;
    if (begun_in != 0) {
        forget_parent();
    } else if (set_places(places)) {
        real = driver;
    } else {
        return false;
    }
    ask_kernel();
    begun_in = host::generation();
    return true;
}

}  // namespace ration::cuda::stream
