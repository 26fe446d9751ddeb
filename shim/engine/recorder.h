// The record of this process: what it says, and where it goes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "shim/state/record.h"

namespace ration::engine {

// Publishes each change. Where no runtime directory can be used the process runs unrecorded, and
// the log says so once, as a warning if it has a share. Calls come from one thread at a time.
class Recorder {
  public:
    explicit Recorder(state::Record record) : record_(std::move(record)) {}

    void publish();
    void publish(state::State state, const std::string& why);
    // What was granted is no longer what the record says; the state stays.
    void publish_granted(const std::string& granted);
    // `describe` writes the grant into the record.
    void publish_grant(const std::function<void(state::Record&)>& describe);

    const state::Record& record() const { return record_; }

  private:
    void say_unrecorded(const std::string& why) const;

    state::Record record_;
    std::unique_ptr<state::Publisher> publisher_;
    bool tried_ = false;
};

// Of this process's user; RATION_RUNTIME_DIR overrides it.
state::RuntimeDirectory runtime_directory(bool create);

}  // namespace ration::engine
