// What is undone where a call fails.
#pragma once

#include <utility>

namespace ration::cuda::quota {

// Done at the end of its scope where the driver has refused the call, or the thread is cancelled
// inside of it.
template <class Undo>
class Otherwise {
  public:
    explicit Otherwise(Undo undo) : undo_(std::move(undo)) {}
    ~Otherwise() {
        if (needed_) undo_();
    }
    Otherwise(const Otherwise&) = delete;
    Otherwise& operator=(const Otherwise&) = delete;
    void not_needed() { needed_ = false; }

  private:
    Undo undo_;
    bool needed_ = true;
};

}  // namespace ration::cuda::quota
