#include "shim/engine/recorder.h"

#include <stdlib.h>
#include <unistd.h>

#include <optional>

#include "shim/engine/log.h"

namespace ration::engine {

state::RuntimeDirectory runtime_directory(bool create) {
    const char* const override_path = getenv("RATION_RUNTIME_DIR");
    return state::runtime_directory(
        geteuid(),
        override_path == nullptr ? std::nullopt : std::optional<std::string>(override_path),
        create);
}

void Recorder::publish() {
    if (!tried_) {
        tried_ = true;
        std::string why;
        publisher_ = state::Publisher::open(runtime_directory(true), why);
        if (!publisher_) say_unrecorded(why);
    }
    if (publisher_) publisher_->publish(record_);
}

// Worth a warning where a share is held that `ration ps` and a pool's other members do not see.
void Recorder::say_unrecorded(const std::string& why) const {
    const bool has_share =
        record_.state == state::State::kStarting || record_.state == state::State::kGranted;
    log::write(has_share ? log::Level::kWarn : log::Level::kInfo,
               "runs unrecorded, so `ration ps` does not show this process: " + why);
}

void Recorder::publish(state::State state, const std::string& why) {
    record_.state = state;
    record_.why = why;
    publish();
}

void Recorder::publish_granted(const std::string& granted) {
    record_.granted = granted;
    publish();
}

void Recorder::publish_grant(const std::function<void(state::Record&)>& describe) {
    describe(record_);
    record_.state = state::State::kGranted;
    publish();
}

}  // namespace ration::engine
