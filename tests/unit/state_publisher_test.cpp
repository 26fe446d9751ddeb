// A process publishes; others read: life, death, fork, exec, lost descriptors, many at once.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <fstream>
#include <memory>
#include <vector>

#include "shim/state/directory.h"
#include "shim/state/layout.h"
#include "shim/state/own_file.h"
#include "shim/state/records_file.h"
#include "tests/unit/state_support.h"

namespace ration::state {
namespace {

class StatePublisher : public testing::Test {
  protected:
    RuntimeDirectory directory() const {
        return runtime_directory(geteuid(), folder_.path(), true);
    }
    std::string file() const { return directory().path + "/" + kFileName; }
    std::unique_ptr<Publisher> publisher() const {
        std::string why;
        auto result = Publisher::open(directory(), why);
        EXPECT_NE(result, nullptr) << why;
        return result;
    }
    std::vector<Listed> listed() const { return list(directory()); }
    // Publishes in a child that then exits.
    void leave_dead(const std::string& command) const {
        EXPECT_EQ(0, Child::run([&] {
                      publisher()->publish(record_of(command));
                      return 0;
                  }));
    }
    bool locked(unsigned slot) const {
        // From another process: one's own locks do not show.
        return Child::run([&] {
                   const Descriptor fd(open(file().c_str(), O_RDONLY));
                   return locked_by_other(fd.get(), kSlotsOffset + slot * kSlotSize) ? 1 : 0;
               }) == 1;
    }

    TempFolder folder_;
};

TEST_F(StatePublisher, ShowsItsRecordWhileItLivesAndAfterwards) {
    auto writer = publisher();
    EXPECT_TRUE(listed().empty()) << "nothing is published yet";
    writer->publish(record_of("train.py", State::kStarting));
    writer->publish(record_of("train.py", State::kGranted));
    auto seen = listed();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_TRUE(seen[0].live);
    EXPECT_EQ(seen[0].record.pid, getpid());
    EXPECT_EQ(seen[0].record.uid, geteuid());
    EXPECT_GT(seen[0].record.start_ticks, 0u);
    EXPECT_GT(seen[0].record.started, 0);
    EXPECT_EQ(seen[0].record.state, State::kGranted);
}

TEST_F(StatePublisher, TwoInAProcessByOneDescriptor) {
    const auto first = publisher();
    first->publish(record_of("first"));
    const int fd = own_records_descriptor();
    auto second = publisher();
    second->publish(record_of("second"));
    EXPECT_EQ(own_records_descriptor(), fd);
    EXPECT_EQ(listed().size(), 2u);
    EXPECT_TRUE(locked(0));
    EXPECT_TRUE(locked(1));
    std::string why;
    EXPECT_EQ(Publisher::open(directory(), why), nullptr);
    EXPECT_EQ(why, "this process has as many records already as there are vendors");
    second.reset();
    EXPECT_TRUE(locked(0));
    EXPECT_FALSE(locked(1));
    first->publish(record_of("first", State::kRefused));
    EXPECT_EQ(listed()[0].record.state, State::kRefused);
}

TEST_F(StatePublisher, TheSecondNeverTakesThePlaceOfTheFirst) {
    const auto first = publisher();
    first->publish(record_of("first"));
    for (unsigned i = 1; i < kSlotCount; ++i) {  // the first one's is the oldest
        const std::int64_t claimed = static_cast<std::int64_t>(1) << 62;
        ASSERT_EQ(pwrite(own_records_descriptor(), &claimed, 8, kIndexOffset + i * 8), 8);
    }
    const auto second = publisher();
    second->publish(record_of("second"));
    EXPECT_EQ(listed().size(), 2u);
}

TEST_F(StatePublisher, BothGetTheirLocksBack) {
    const auto first = publisher();
    const auto second = publisher();
    first->publish(record_of("first"));
    second->publish(record_of("second"));
    close(own_records_descriptor());
    ASSERT_FALSE(locked(0));
    second->publish(record_of("second", State::kUnshared));
    EXPECT_TRUE(locked(0));
    EXPECT_TRUE(locked(1));
    first->publish(record_of("first", State::kUnshared));
    ASSERT_EQ(listed().size(), 2u);
    for (const auto& entry : listed()) EXPECT_EQ(entry.record.state, State::kUnshared);

    ASSERT_EQ(unlink(file().c_str()), 0);
    second->publish(record_of("second"));
    first->publish(record_of("first"));
    EXPECT_EQ(listed().size(), 2u);
    EXPECT_TRUE(locked(0));
    EXPECT_TRUE(locked(1));
}

TEST_F(StatePublisher, AForkedChildMayHaveTwoOfItsOwn) {
    auto first = publisher();
    auto second = publisher();
    first->publish(record_of("parent"));
    second->publish(record_of("parent"));
    Child child([&](const Child::Side& side) {
        first->publish(record_of("child"));
        second = publisher();
        second->publish(record_of("child"));
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(child.await_ready());
    EXPECT_EQ(listed().size(), 4u);
    for (unsigned slot = 0; slot < 4; ++slot) EXPECT_TRUE(locked(slot)) << slot;
    child.go();
    child.join();
    EXPECT_TRUE(locked(0));
    EXPECT_TRUE(locked(1));
}

TEST_F(StatePublisher, KeepsItsDescriptorOutOfTheWay) {
    const auto writer = publisher();
    const int fd = own_records_descriptor();
    EXPECT_GT(fd, 200);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST_F(StatePublisher, ReadingDoesNotDropItsLock) {
    const auto writer = publisher();
    writer->publish(record_of("self"));
    ASSERT_TRUE(locked(0));
    EXPECT_EQ(listed().size(), 1u);
    EXPECT_TRUE(locked(0)) << "list() closed a descriptor of the file";
}

TEST_F(StatePublisher, KilledProcessIsDeadWithItsLastState) {
    Child child([&](const Child::Side& side) {
        auto writer = publisher();
        writer->publish(record_of("victim", State::kUnshared));
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(child.await_ready());
    ASSERT_EQ(listed().size(), 1u);
    EXPECT_TRUE(listed()[0].live);
    child.kill(SIGKILL);
    child.await_end();
    // Not reaped: a zombie is in /proc still.
    auto seen = listed();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_FALSE(seen[0].live);
    EXPECT_EQ(seen[0].record.state, State::kUnshared);
    child.join();
    EXPECT_FALSE(listed()[0].live);
}

TEST_F(StatePublisher, ForkedChildClaimsAPlaceOfItsOwn) {
    auto writer = publisher();
    writer->publish(record_of("parent"));
    Child child([&](const Child::Side& side) {
        writer->publish(record_of("child"));
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(child.await_ready());
    auto seen = listed();
    ASSERT_EQ(seen.size(), 2u);
    for (const auto& entry : seen) {
        EXPECT_TRUE(entry.live);
        EXPECT_EQ(entry.record.pid, entry.record.command == "parent" ? getpid() : child.pid());
    }
    child.go();
    child.join();
    EXPECT_TRUE(locked(0)) << "the child's end took the parent's lock";
    writer->publish(record_of("parent", State::kRefused));
    for (const auto& entry : listed()) {
        EXPECT_EQ(entry.live, entry.record.command == "parent");
    }
}

TEST_F(StatePublisher, ForkedChildThatPublishesNothingLeavesNoTrace) {
    auto writer = publisher();
    writer->publish(record_of("parent"));
    Child::run([&] {
        writer.reset();
        return 0;
    });
    EXPECT_TRUE(locked(0));
    EXPECT_EQ(listed().size(), 1u);
}

TEST_F(StatePublisher, ForkedChildMayOpenItsOwn) {
    auto writer = publisher();
    writer->publish(record_of("parent"));
    Child child([&](const Child::Side& side) {
        writer = publisher();  // the parent's object is destroyed after the new one was made
        writer->publish(record_of("child"));
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(child.await_ready());
    EXPECT_TRUE(locked(0));
    EXPECT_TRUE(locked(1)) << "the child's old object dropped its new lock";
    EXPECT_EQ(listed().size(), 2u);
}

TEST_F(StatePublisher, ExecEndsTheRecord) {
    Child child([&](const Child::Side& side) {
        auto writer = publisher();
        writer->publish(record_of("before exec"));
        side.ready();
        side.wait();
        dup2(side.output(), STDOUT_FILENO);
        dup2(side.input(), STDIN_FILENO);
        execlp("sh", "sh", "-c", "printf r; read never", nullptr);
        return 1;
    });
    ASSERT_TRUE(child.await_ready());
    EXPECT_TRUE(listed()[0].live);
    child.step();
    ASSERT_TRUE(child.await_ready()) << "no shell";
    EXPECT_FALSE(listed()[0].live) << "same process, another program";
}

TEST_F(StatePublisher, ProgramThatClosesForeignDescriptorsStaysLive) {
    Child child([&](const Child::Side& side) {
        auto writer = publisher();
        writer->publish(record_of("closer", State::kStarting));
        const int fd = own_records_descriptor();
        close(fd);
        const int taken = open("/dev/null", O_RDONLY);
        dup2(taken, fd);  // and something of the program's own has its number
        side.ready();
        side.wait();
        writer->publish(record_of("closer", State::kGranted));
        struct stat info;
        const bool kept = fstat(fd, &info) == 0 && S_ISCHR(info.st_mode);
        side.ready();
        (void)!read(side.input(), &info, 1);
        return kept ? 0 : 1;
    });
    ASSERT_TRUE(child.await_ready());
    EXPECT_FALSE(locked(0));
    ASSERT_EQ(listed().size(), 1u);
    EXPECT_TRUE(listed()[0].live) << "by pid and start time";

    // Nobody takes its place, although it is unlocked and the oldest.
    for (unsigned i = 1; i < kSlotCount; ++i) {
        const std::int64_t claimed = static_cast<std::int64_t>(1) << 62;
        const Descriptor fd(open(file().c_str(), O_RDWR));
        ASSERT_EQ(pwrite(fd.get(), &claimed, 8, kIndexOffset + i * 8), 8);
    }
    leave_dead("other");
    auto seen = listed();
    ASSERT_EQ(seen.size(), 2u);
    // Now it is the youngest: were it not to look for its own place, it would take another.
    const std::int64_t claimed = (static_cast<std::int64_t>(1) << 62) + 1;
    const Descriptor fd(open(file().c_str(), O_RDWR));
    ASSERT_EQ(pwrite(fd.get(), &claimed, 8, kIndexOffset), 8);

    child.go();
    ASSERT_TRUE(child.await_ready());
    EXPECT_EQ(child.join(), 0) << "the program's own descriptor was touched";
    unsigned closers = 0;
    for (const auto& entry : listed()) {
        if (entry.record.command != "closer") continue;
        ++closers;
        EXPECT_EQ(entry.record.state, State::kGranted);
    }
    EXPECT_EQ(closers, 1u) << "it took its old place again";
}

TEST_F(StatePublisher, RemovedFileIsMadeAgain) {
    auto writer = publisher();
    writer->publish(record_of("survivor"));
    ASSERT_EQ(unlink(file().c_str()), 0);
    EXPECT_TRUE(listed().empty());
    writer->publish(record_of("survivor", State::kGranted));
    ASSERT_EQ(listed().size(), 1u);
    EXPECT_TRUE(listed()[0].live);
}

TEST_F(StatePublisher, TruncatedFileHarmsNobody) {
    auto writer = publisher();
    writer->publish(record_of("mine"));
    ASSERT_EQ(truncate(file().c_str(), 0), 0);
    writer->publish(record_of("mine"));
    std::vector<std::string> notes;
    list(directory(), &notes);
    EXPECT_THAT(notes, testing::ElementsAre(testing::HasSubstr("not a records file")));
}

// Else every later process of the user would run unrecorded.
TEST_F(StatePublisher, ASpoiltFileIsReplaced) {
    Child child([&](const Child::Side& side) {
        auto writer = publisher();
        writer->publish(record_of("before", State::kStarting));
        side.ready();
        side.wait();
        writer->publish(record_of("before", State::kGranted));
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(child.await_ready());
    ASSERT_EQ(truncate(file().c_str(), 0), 0);
    leave_dead("after");
    std::vector<std::string> notes;
    EXPECT_EQ(list(directory(), &notes).size(), 1u);
    EXPECT_TRUE(notes.empty());
    child.step();
    ASSERT_TRUE(child.await_ready());
    EXPECT_EQ(listed().size(), 2u) << "who was there before joins the new file";
    std::ofstream(file()) << std::string(2 * kSlotsOffset, 'x');
    leave_dead("again");
    EXPECT_EQ(listed().size(), 1u);
    child.step();
    EXPECT_EQ(child.join(), 0);
}

TEST_F(StatePublisher, OneOfAnotherFormatIsLeftAlone) {
    leave_dead("someone");
    FileHeader newer = make_header();
    ++newer.version;
    std::fstream(file()).write(reinterpret_cast<const char*>(&newer), sizeof newer);
    std::string why;
    EXPECT_EQ(Publisher::open(directory(), why), nullptr);
    EXPECT_THAT(why, testing::HasSubstr("remove it"));
}

TEST_F(StatePublisher, ReusesTheOldestDeadPlace) {
    leave_dead("first");
    leave_dead("second");
    ASSERT_EQ(listed().size(), 2u);
    // All other places look as if they had been taken later.
    const Descriptor fd(open(file().c_str(), O_RDWR));
    for (unsigned i = 2; i < kSlotCount; ++i) {
        const std::int64_t claimed = (static_cast<std::int64_t>(1) << 62) + i;
        ASSERT_EQ(pwrite(fd.get(), &claimed, 8, kIndexOffset + i * 8), 8);
    }
    leave_dead("third");
    std::vector<std::string> commands;
    for (const auto& entry : listed()) commands.push_back(entry.record.command);
    EXPECT_THAT(commands, testing::UnorderedElementsAre("second", "third"));
}

TEST_F(StatePublisher, SaysThatAllPlacesAreTaken) {
    leave_dead("someone");
    Child holder([&](const Child::Side& side) {
        const Descriptor fd(open(file().c_str(), O_RDWR));
        struct flock all {};
        all.l_type = F_WRLCK;
        if (fcntl(fd.get(), F_SETLK, &all) == 0) side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(holder.await_ready());
    std::string why;
    EXPECT_EQ(Publisher::open(directory(), why), nullptr);
    EXPECT_EQ(why, "all 1024 places for records are taken by live processes");
}

TEST_F(StatePublisher, FiftyProcessesAtOnce) {
    constexpr int kProcesses = 50;
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < kProcesses; ++i) {
        children.push_back(std::make_unique<Child>([&, i](const Child::Side& side) {
            side.wait();  // all set out together
            auto writer = publisher();
            if (!writer) return 1;
            writer->publish(record_of("worker " + std::to_string(i)));
            side.ready();
            side.wait();
            pause();
            return 0;
        }));
    }
    for (auto& child : children) child->go();
    for (auto& child : children) ASSERT_TRUE(child->await_ready());
    auto seen = listed();
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(kProcesses));
    std::vector<std::string> commands;
    for (const auto& entry : seen) {
        EXPECT_TRUE(entry.live);
        commands.push_back(entry.record.command);
    }
    std::sort(commands.begin(), commands.end());
    EXPECT_EQ(std::unique(commands.begin(), commands.end()), commands.end());
    for (auto& child : children) child->kill(SIGKILL);
    for (auto& child : children) child->join();
    for (const auto& entry : listed()) EXPECT_FALSE(entry.live);
}

// A process that ends at once must not lose its record to one that chose the same place with it.
TEST_F(StatePublisher, FiftyShortLivesLeaveFiftyRecords) {
    constexpr int kProcesses = 50;
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < kProcesses; ++i) {
        children.push_back(std::make_unique<Child>([&, i](const Child::Side& side) {
            side.wait();
            publisher()->publish(record_of("refused " + std::to_string(i), State::kRefused));
            return 0;
        }));
    }
    for (auto& child : children) child->go();
    for (auto& child : children) EXPECT_EQ(child->join(), 0);
    EXPECT_EQ(listed().size(), static_cast<std::size_t>(kProcesses));
}

TEST_F(StatePublisher, WorksWithFewDescriptors) {
    const auto with_limit = [&](rlim_t limit) {
        return Child::run([&] {
            const rlimit few = {limit, limit};
            setrlimit(RLIMIT_NOFILE, &few);
            std::string why;
            auto writer = Publisher::open(directory(), why);
            if (!writer) return why.find("ulimit -n") != std::string::npos ? 50 : 51;
            writer->publish(record_of("few"));
            return own_records_descriptor();
        });
    };
    EXPECT_GT(with_limit(20), 10);
    EXPECT_LT(with_limit(20), 20);
    EXPECT_EQ(listed().size(), 2u);
}

TEST_F(StatePublisher, SaysThatNoDescriptorIsFree) {
    EXPECT_EQ(0, Child::run([&] {
                  const auto where = directory();
                  const rlimit none = {0, 0};
                  setrlimit(RLIMIT_NOFILE, &none);
                  std::string why;
                  const bool refused = Publisher::open(where, why) == nullptr;
                  return refused && why.find("Too many open files") != std::string::npos ? 0 : 1;
              }));
}

// RLIMIT_FSIZE's signal would end the program; `ulimit -f 8` lets the header pass and no record.
TEST_F(StatePublisher, SurvivesALimitOfFileSizes) {
    for (const rlim_t limit : {0, 1 << 10, 8 << 10}) {
        const TempFolder folder;
        EXPECT_EQ(0, Child::run([&] {
                      const auto where = runtime_directory(geteuid(), folder.path(), true);
                      const rlimit small = {limit, limit};
                      setrlimit(RLIMIT_FSIZE, &small);
                      std::string why;
                      const bool refused = Publisher::open(where, why) == nullptr;
                      return refused && why.find("File too large") != std::string::npos ? 0 : 1;
                  }))
            << limit;
        for (const auto& left : std::filesystem::recursive_directory_iterator(folder.path())) {
            EXPECT_FALSE(left.path().filename().string().starts_with("new-")) << left.path();
        }
    }
}

TEST_F(StatePublisher, ARecordThatHitsALimitStaysAsItWas) {
    EXPECT_EQ(0, Child::run([&] {
                  auto writer = publisher();
                  writer->publish(record_of("before"));
                  const rlimit small = {1, 1};
                  setrlimit(RLIMIT_FSIZE, &small);
                  writer->publish(record_of("after"));
                  sigset_t left;
                  sigpending(&left);
                  return sigismember(&left, SIGXFSZ);
              }));
    ASSERT_EQ(listed().size(), 1u);
    EXPECT_EQ(listed()[0].record.command, "before");
}

TEST_F(StatePublisher, KeepsTheTimeOfTheFirstRecord) {
    auto writer = publisher();
    writer->publish(record_of("first"));
    const auto started = listed().at(0).record.started;
    while (time(nullptr) == started) usleep(10000);
    writer->publish(record_of("second"));
    EXPECT_EQ(listed().at(0).record.command, "second");
    EXPECT_EQ(listed().at(0).record.started, started);
}

TEST_F(StatePublisher, NeverLivesOnAStandardStream) {
    EXPECT_EQ(0, Child::run([&] {
                  for (int fd = 0; fd < 3; ++fd) close(fd);
                  auto writer = publisher();
                  return own_records_descriptor() > 2 ? 0 : 1;
              }));
}

TEST_F(StatePublisher, LeavesTheUmaskAlone) {
    EXPECT_EQ(0, Child::run([&] {
                  umask(0177);
                  auto writer = publisher();
                  struct stat info;
                  const bool whole =
                      stat(directory().path.c_str(), &info) == 0 && (info.st_mode & 0777) == 0700;
                  return writer != nullptr && whole && umask(0) == 0177 ? 0 : 1;
              }));
}

}  // namespace
}  // namespace ration::state
