// Groups of a made-up GPU, taken here and in child processes.
#pragma once

#include <sys/mman.h>

#include <memory>
#include <string>

#include "shim/state/groups.h"
#include "tests/unit/state_support.h"

namespace ration::state {

inline constexpr char kGpu[] = "GPU-11111111-2222-3333-4444-555555555555";

inline Layout layout_of(unsigned groups, std::string driver = "580.159.04") {
    return {std::move(driver), 0, std::vector<unsigned>(groups, 8)};
}
inline Ask some(unsigned count, bool exclusive = true, std::string scope = "") {
    Ask ask;
    ask.count = count;
    ask.exclusive = exclusive;
    ask.scope = std::move(scope);
    return ask;
}
inline Ask named(std::initializer_list<unsigned> groups, bool exclusive = true) {
    Ask ask;
    ask.what = Ask::What::kNamed;
    for (const unsigned group : groups) ask.named[group] = true;
    ask.exclusive = exclusive;
    return ask;
}
inline Ask whole(bool exclusive) {
    Ask ask;
    ask.what = Ask::What::kWhole;
    ask.exclusive = exclusive;
    return ask;
}
inline Ask percentage() {
    Ask ask;
    ask.what = Ask::What::kPercentage;
    return ask;
}
// Memory that children share with the test.
template <typename T>
class Shared {
  public:
    Shared() {
        void* const memory =
            mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        value_ = new (memory) T();
    }
    ~Shared() { munmap(value_, sizeof(T)); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    T* operator->() const { return value_; }
    T& operator*() const { return *value_; }

  private:
    T* value_;
};

class GroupsTest : public testing::Test {
  protected:
    GroupsTest() : place_{folder_.path(), "", ""} {}

    std::unique_ptr<Groups> open(const char* uuid = kGpu) const {
        std::string why;
        auto groups = Groups::open(place_, uuid, why);
        EXPECT_NE(groups, nullptr) << why;
        return groups;
    }
    std::string file() const { return lock_path(place_, "lock", kGpu); }

    // A child that holds what it asked for until it is told to go on; it exits with 1 if it was not
    // given that. What it got is in `text`.
    struct Report {
        char text[64];
    };
    struct Other {
        Other(const GroupsTest& test, const Ask& ask, const Layout& layout)
            : child([this, &test, ask, layout](const Child::Side& side) {
                  std::string why;
                  const auto groups = Groups::open(test.place_, kGpu, why);
                  if (!groups) return 2;
                  const Taken taken = groups->take(layout, ask);
                  if (taken.outcome != Taken::Outcome::kTaken) return 1;
                  to_text(taken.groups).copy(report->text, sizeof report->text - 1);
                  side.ready();
                  side.wait();
                  return 0;
              }) {
            holds = child.await_ready();
        }
        Shared<Report> report;
        Child child;
        bool holds = false;
        std::string groups() const { return report->text; }
        void end() {
            child.go();
            child.join();
        }
        void kill() {
            child.kill(SIGKILL);
            child.join();
        }
    };
    std::unique_ptr<Other> other(const Ask& ask, const Layout& layout = layout_of(16)) const {
        auto made = std::make_unique<Other>(*this, ask, layout);
        EXPECT_TRUE(made->holds);
        return made;
    }

    TempFolder folder_;
    LockPlace place_;
};

}  // namespace ration::state
