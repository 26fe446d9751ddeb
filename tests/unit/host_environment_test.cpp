#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "shim/host/environment.h"

namespace ration::host {
namespace {

using testing::ElementsAre;

constexpr const char* kShare = "RATION_TEST_SHARE";
constexpr const char* kDevices = "RATION_TEST_DEVICES";

// Overlays are never destroyed in a process; neither here.
Overlay& overlay(const Edits& temporary, const Edits& lasting = {}) {
    static std::deque<Overlay> all;
    return all.emplace_back(temporary, lasting);
}

std::vector<std::string> entries(const std::string& name) {
    std::vector<std::string> found;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::string(*entry).starts_with(name + "=")) found.emplace_back(*entry);
    }
    return found;
}

std::vector<char*> pointers() {
    std::vector<char*> all;
    for (char** entry = environ; *entry != nullptr; ++entry) all.push_back(*entry);
    return all;
}

class OverlayTest : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {kShare, kDevices, "RATION_TEST_OTHER", "RATION_TEST_NEW"}) {
            unsetenv(name);
        }
    }
};

TEST_F(OverlayTest, IsSeenInsideAndGoneAfterwards) {
    const auto before = pointers();
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    EXPECT_STREQ(getenv(kShare), "25");
    one.leave();
    EXPECT_EQ(getenv(kShare), nullptr);
    EXPECT_EQ(pointers(), before);
}

TEST_F(OverlayTest, BringsTheProgramsOwnStringBack) {
    static char own[] = "RATION_TEST_SHARE=50";
    putenv(own);
    const auto before = pointers();
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    EXPECT_THAT(entries(kShare), ElementsAre("RATION_TEST_SHARE=25"));
    one.leave();
    EXPECT_EQ(pointers(), before);
}

TEST_F(OverlayTest, BringsDuplicatesBack) {
    char first[] = "RATION_TEST_SHARE=1";
    char other[] = "RATION_TEST_OTHER=x";
    char second[] = "RATION_TEST_SHARE=2";
    char* array[] = {first, other, second, nullptr};
    char** const saved = environ;
    environ = array;
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    EXPECT_STREQ(getenv(kShare), "25");
    setenv("RATION_TEST_NEW", "y", 1);  // makes the program's own copy of our array
    one.leave();
    EXPECT_THAT(entries(kShare), ElementsAre("RATION_TEST_SHARE=1", "RATION_TEST_SHARE=2"));
    EXPECT_STREQ(getenv("RATION_TEST_NEW"), "y");
    environ = saved;
}

TEST_F(OverlayTest, KeepsWhatLasts) {
    setenv(kDevices, "0,1", 1);
    Overlay& one = overlay({{kShare, "25"}}, {{kDevices, "GPU-b"}, {"RATION_TEST_NEW", "0,1"}});
    one.enter();
    EXPECT_STREQ(getenv(kDevices), "GPU-b");
    one.leave();
    EXPECT_THAT(entries(kDevices), ElementsAre("RATION_TEST_DEVICES=GPU-b"));
    EXPECT_STREQ(getenv("RATION_TEST_NEW"), "0,1");
    EXPECT_EQ(getenv(kShare), nullptr);
}

TEST_F(OverlayTest, KeepsWhatLastsThroughTheProgramsSetenv) {
    Overlay& one = overlay({{kShare, "25"}}, {{kDevices, "GPU-b"}});
    one.enter();
    setenv("RATION_TEST_NEW", "1", 1);
    one.leave();
    EXPECT_STREQ(getenv(kDevices), "GPU-b");
    EXPECT_STREQ(getenv("RATION_TEST_NEW"), "1");
    EXPECT_EQ(getenv(kShare), nullptr);
}

TEST_F(OverlayTest, DoesNotUndoWhatTheProgramSetsMeanwhile) {
    setenv("RATION_TEST_OTHER", "old", 1);
    setenv("RATION_TEST_NEW", "old", 1);
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    setenv("RATION_TEST_OTHER", "new", 1);  // in place: the array stays ours
    unsetenv("RATION_TEST_NEW");
    one.leave();
    EXPECT_STREQ(getenv("RATION_TEST_OTHER"), "new");
    EXPECT_EQ(getenv("RATION_TEST_NEW"), nullptr);
    EXPECT_EQ(getenv(kShare), nullptr);
}

TEST_F(OverlayTest, DoesNotUndoTheProgramsOwnNewShare) {
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    setenv(kShare, "10", 1);
    one.leave();
    EXPECT_STREQ(getenv(kShare), "10");
    one.enter();
    EXPECT_STREQ(getenv(kShare), "25");
    setenv("RATION_TEST_NEW", "1", 1);
    setenv(kShare, "11", 1);
    one.leave();
    EXPECT_STREQ(getenv(kShare), "11");
}

TEST_F(OverlayTest, IsTakenBackByTheLastToLeave) {
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    one.enter();
    one.leave();
    EXPECT_STREQ(getenv(kShare), "25");
    one.leave();
    EXPECT_EQ(getenv(kShare), nullptr);
}

TEST_F(OverlayTest, UsesItsArraysAgain) {
    Overlay& one = overlay({{kShare, "25"}}, {{kDevices, "GPU-b"}});
    for (int i = 0; i < 2; ++i) {  // the first takes the program's array, the second ours
        one.enter();
        one.leave();
    }
    one.enter();
    char** const inside = environ;
    one.leave();
    char** const outside = environ;
    for (int i = 0; i < 3; ++i) {
        one.enter();
        EXPECT_EQ(environ, inside);
        one.leave();
        EXPECT_EQ(environ, outside);
    }
}

TEST_F(OverlayTest, IsTidiedUpAfterALateSetenv) {
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    std::vector<char*> late = pointers();  // as glibc's setenv does it: copy, then store
    late.push_back(nullptr);
    one.leave();
    char** const saved = environ;
    environ = late.data();
    EXPECT_STREQ(getenv(kShare), "25");
    one.tidy();
    EXPECT_EQ(getenv(kShare), nullptr);
    environ = saved;
}

TEST_F(OverlayTest, SurvivesAnEmptyEnvironment) {
    char** const saved = environ;
    environ = nullptr;
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    EXPECT_STREQ(getenv(kShare), "25");
    one.leave();
    EXPECT_EQ(*environ, nullptr);
    environ = saved;
}

TEST_F(OverlayTest, IsTakenBackInAChild) {
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    const pid_t child = fork();
    if (child == 0) {
        one.leave_in_child();
        _exit(getenv(kShare) == nullptr ? 0 : 1);
    }
    one.leave();
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

// Readers must find each variable at any time, complete and in one of its two states.
TEST_F(OverlayTest, NeverDisturbsReadersInOtherThreads) {
    setenv("RATION_TEST_OTHER", "here", 1);
    Overlay& one = overlay({{kShare, "25"}});
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
        readers.emplace_back([&] {
            while (!over) {
                const char* const other = getenv("RATION_TEST_OTHER");
                const char* const share = getenv(kShare);
                wrong += other == nullptr || std::string(other) != "here";
                wrong += share != nullptr && std::string(share) != "25";
            }
        });
    }
    for (int i = 0; i < 20000; ++i) {
        one.enter();
        one.leave();
    }
    over = true;
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
}

// A second thread sets variables all the time, as programs should not but do. A value may be lost
// to a reader for a moment, where glibc had looked at `environ` before we replaced it.
// setenv of a new name copies the array and publishes its copy: here after the stay in which it
// copied, and once more before the next one.
TEST_F(OverlayTest, ForgetsWhatASetterBringsBackBetweenTwoStays) {
    Overlay& one = overlay({{kShare, "25"}});
    one.enter();
    std::vector<char*> copy;
    for (char** entry = environ; *entry != nullptr; ++entry) copy.push_back(*entry);
    copy.push_back(nullptr);
    one.leave();
    char** const own = environ;
    environ = copy.data();
    one.enter();
    EXPECT_STREQ(getenv(kShare), "25");
    one.leave();
    EXPECT_EQ(getenv(kShare), nullptr);
    one.tidy();
    EXPECT_EQ(getenv(kShare), nullptr);
    environ = own;
}

TEST_F(OverlayTest, SurvivesSettersInOtherThreads) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer does not see glibc's lock, and calls every setenv a race";
#endif
    Overlay& one = overlay({{kShare, "25"}});
    std::atomic<bool> over{false};
    std::thread writer([&] {
        for (int i = 0; i < 5000; ++i) {
            setenv("RATION_TEST_OTHER", std::to_string(i).c_str(), 1);
        }
        over = true;
    });
    while (!over) {
        one.enter();
        one.leave();
        std::this_thread::yield();
    }
    writer.join();
    one.tidy();
    EXPECT_EQ(getenv(kShare), nullptr);
    setenv("RATION_TEST_OTHER", "last", 1);
    EXPECT_STREQ(getenv("RATION_TEST_OTHER"), "last");
}

}  // namespace
}  // namespace ration::host
