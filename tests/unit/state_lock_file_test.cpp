// The files whose locks are the state: where they are, what is refused, and how a lock may be lost.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <random>

#include "shim/state/directory.h"
#include "shim/state/group_bytes.h"
#include "tests/unit/state_groups_support.h"

namespace ration::state {
namespace {

using Outcome = Taken::Outcome;
using Standing = Groups::Standing;
using testing::HasSubstr;

constexpr uid_t kAlice = 54321;
constexpr uid_t kBob = 54322;

class StateLockFile : public GroupsTest {
  protected:
    std::string refusal(const LockPlace& place) const {
        std::string why;
        EXPECT_EQ(Groups::open(place, kGpu, why), nullptr);
        return why;
    }
    std::string refusal() const { return refusal(place_); }
    // "0-3", or the reason why not.
    static std::string take(Groups& groups, const Ask& ask) {
        const Taken taken = groups.take(layout_of(16), ask);
        return taken.outcome == Outcome::kTaken ? to_text(taken.groups) : taken.why;
    }
    // What a child gets that has an object of its own.
    std::string child_gets(const Ask& ask, uid_t uid = geteuid()) const {
        Shared<Report> report;
        Child::run([&] {
            if (uid != geteuid() && setuid(uid) != 0) return 1;
            std::string text;
            const auto groups = Groups::open(place_, kGpu, text);
            if (groups) text = take(*groups, ask);
            text.copy(report->text, sizeof report->text - 1);
            return 0;
        });
        return report->text;
    }
    // The number of the process's descriptor of the lock file.
    int descriptor() const {
        struct stat named;
        if (stat(file().c_str(), &named) != 0) return -1;
        for (int fd = 3; fd < 1024; ++fd) {
            struct stat info;
            if (fstat(fd, &info) == 0 && info.st_ino == named.st_ino && info.st_dev == named.st_dev)
                return fd;
        }
        return -1;
    }
};

class StateLockPlace : public testing::Test {
  protected:
    StateLockPlace() {
        places_.system = folder_.path() + "/run-ration";
        places_.user_parent = folder_.path() + "/shm";
        places_.system_owner = geteuid();
        make(places_.user_parent, 01777);
    }
    static void make(const std::string& path, mode_t mode) {
        ASSERT_EQ(mkdir(path.c_str(), 0700), 0) << path;
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
    }
    std::string path(const std::optional<std::string>& override_path = std::nullopt) {
        const LockPlace place = find_lock_place(places_, override_path, true);
        return place.directory.empty() ? place.why : lock_path(place, "lock", "GPU-1");
    }
    TempFolder folder_;
    Places places_;
};

TEST_F(StateLockPlace, IsTheSameForAllUsers) {
    EXPECT_EQ(path(), places_.user_parent + "/ration-lock-GPU-1");
    make(places_.system, 01777);
    EXPECT_EQ(path(), places_.system + "/lock-GPU-1");
    EXPECT_EQ(path(""), places_.system + "/lock-GPU-1");
    EXPECT_EQ(path(folder_.path() + "/other"), folder_.path() + "/other/lock-GPU-1");
}

TEST_F(StateLockPlace, IsNowhereWhereAnybodyMayRemoveFiles) {
    make(places_.system, 0777);
    EXPECT_EQ(path(), places_.user_parent + "/ration-lock-GPU-1");
    chmod(places_.user_parent.c_str(), 0777);
    EXPECT_THAT(path(), HasSubstr("shm can be changed by everyone: chmod +t it"));
    EXPECT_THAT(path(places_.system), HasSubstr("can be changed by everyone"));
    EXPECT_THAT(path("here"), HasSubstr("must be an absolute path"));
}

TEST_F(StateLockPlace, DeviceNamesStayInIt) {
    const LockPlace place{"/run/ration", "", ""};
    EXPECT_EQ(lock_path(place, "lock", "0000:17:00.0"), "/run/ration/lock-0000:17:00.0");
    EXPECT_EQ(lock_path(place, "lock", "MIG-GPU-1/2/3"), "/run/ration/lock-MIG-GPU-1+2+3");
    EXPECT_EQ(lock_path(place, "lock", "../../etc/x"), "/run/ration/lock-..+..+etc+x");
    for (const char* bad : {"", "a b", "a\n", "\xc3\xa4", "%s;"}) {
        EXPECT_EQ(lock_path(place, "lock", bad), "") << bad;
    }
    EXPECT_EQ(lock_path(place, "lock", std::string(81, 'x')), "");
    EXPECT_EQ(lock_path({"", "", "no"}, "lock", "GPU-1"), "");
    std::string why;
    EXPECT_EQ(Groups::open(place, "a\nb", why), nullptr);
    EXPECT_EQ(why, "\"a?b\" is no device's UUID");
}

TEST_F(StateLockFile, IsOpenToAllAndOutOfTheWay) {
    EXPECT_EQ(Child::run([&] {
                  umask(0777);
                  return open() ? 0 : 1;
              }),
              0);
    struct stat info;
    ASSERT_EQ(stat(file().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0666u);
    const auto groups = open();
    EXPECT_GT(descriptor(), 200);
    EXPECT_EQ(fcntl(descriptor(), F_GETFD), FD_CLOEXEC);
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
        ++files;
        EXPECT_EQ(entry.path(), file());
    }
    EXPECT_EQ(files, 1);
}

TEST_F(StateLockFile, IsOpenedOnceInAProcess) {
    auto groups = open();
    EXPECT_THAT(refusal(), HasSubstr("is open in this process already"));
    symlink(folder_.path().c_str(), (folder_.path() + "/alias").c_str());
    EXPECT_THAT(refusal({folder_.path() + "/alias", "", ""}),
                HasSubstr("is open in this process already"));
    groups.reset();
    EXPECT_NE(open(), nullptr);
}

TEST_F(StateLockFile, RefusesWhatSomebodyPlanted) {
    const std::string precious = folder_.path() + "/precious";
    close(::open(precious.c_str(), O_CREAT | O_WRONLY, 0666));
    ASSERT_EQ(symlink(precious.c_str(), file().c_str()), 0);
    EXPECT_EQ(refusal(), file() + " is a symbolic link: remove it");
    unlink(file().c_str());
    ASSERT_EQ(link(precious.c_str(), file().c_str()), 0);
    EXPECT_EQ(refusal(), file() + " has several names: remove it");
    unlink(file().c_str());
    ASSERT_EQ(mkfifo(file().c_str(), 0666), 0);
    EXPECT_EQ(refusal(), file() + " is not a plain file: remove it");
    unlink(file().c_str());
    ASSERT_EQ(mkdir(file().c_str(), 0777), 0);
    EXPECT_THAT(refusal(), HasSubstr("Is a directory"));
}

TEST_F(StateLockFile, NoDescriptorLeft) {
    const int result = Child::run([&] {
        rlimit limit{3, 3};
        setrlimit(RLIMIT_NOFILE, &limit);
        closefrom(3);
        const std::string why = refusal();
        return why.find("Too many open files") != std::string::npos ? 0 : 1;
    });
    EXPECT_EQ(result, 0);
}

TEST_F(StateLockFile, ReadOnlyDisk) {
    const int result = Child::run([&] {
        const int spaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
        if (unshare(spaces) != 0) return 77;
        if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
        const char* const path = folder_.path().c_str();
        if (mount("none", path, "tmpfs", MS_RDONLY, "mode=1777") != 0) return 77;
        return refusal().find("Read-only file system") != std::string::npos ? 0 : 1;
    });
    if (result == 77) GTEST_SKIP() << "no mount namespace";
    EXPECT_EQ(result, 0);
}

// Neither is the size of a page, nor are there blocks for it.
TEST_F(StateLockFile, FullDisk) {
    const int result = Child::run([&] {
        const int spaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
        if (unshare(spaces) != 0) return 77;
        if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
        const char* const path = folder_.path().c_str();
        if (mount("none", path, "tmpfs", 0, "mode=1777,size=4k") != 0) return 77;
        const Descriptor filler(
            ::open((folder_.path() + "/filler").c_str(), O_CREAT | O_RDWR, 0600));
        const std::string page(4096, 'x');
        (void)!write(filler.get(), page.data(), page.size());
        return take(*open(), some(4)) == "0-3" ? 0 : 1;
    });
    if (result == 77) GTEST_SKIP() << "no mount namespace";
    EXPECT_EQ(result, 0);
}

TEST_F(StateLockFile, WhatTheFileContainsDoesNotMatter) {
    const auto holder = other(some(4));
    std::mt19937 random(4711);
    for (int i = 0; i < 50; ++i) {
        const Descriptor fd(::open(file().c_str(), O_RDWR));
        std::string content(random() % 100000, '\0');
        for (char& byte : content) byte = static_cast<char>(random());
        ASSERT_EQ(ftruncate(fd.get(), i % 7 == 0 ? off_t{1} << 40 : 0), 0);
        ASSERT_EQ(write(fd.get(), content.data(), content.size()),
                  static_cast<ssize_t>(content.size()));
        ASSERT_EQ(child_gets(some(12)), "4-15");
        ASSERT_THAT(child_gets(some(13)), HasSubstr("groups wanted: 13; free: 4-15"));
    }
}

// Somebody who plays with the locks may keep groups from others, but cannot have them given twice.
TEST_F(StateLockFile, ForeignLocksMisleadNobody) {
    const auto holder = other(some(4));
    Child player([&](const Child::Side& side) {
        const Descriptor fd(::open(file().c_str(), O_RDWR));
        // Every second byte of the processes' places, and pieces across them.
        for (std::int64_t byte = 65536; byte < 65536 + 4000; byte += 2) {
            lock(fd.get(), {byte, byte + 1}, F_WRLCK);
        }
        lock(fd.get(), {65536 + 30001, 65536 + 60000}, F_WRLCK);
        lock(fd.get(), {70, 71}, F_RDLCK);
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(player.await_ready());
    EXPECT_EQ(child_gets(some(11)), "4-5,7-15");
    EXPECT_THAT(child_gets(some(12)), HasSubstr("free: 4-5,7-15"));
    EXPECT_THAT(child_gets(some(13, false)), HasSubstr("groups wanted: 13; free: 4-5,7-15"));
}

// A lock in the way of what is locked last: what was locked before is given back.
TEST_F(StateLockFile, WhoFailsKeepsNothing) {
    const Layout layout = layout_of(16);
    Child player([&](const Child::Side& side) {
        const Descriptor fd(::open(file().c_str(), O_CREAT | O_RDWR, 0666));
        lock(fd.get(), bytes::one(bytes::within(bytes::kDrivers, layout.driver)), F_WRLCK);
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(player.await_ready());
    const auto groups = open();
    EXPECT_EQ(groups->take(layout, some(4)).outcome, Outcome::kUnusable);
    player.kill(SIGKILL);
    player.join();
    EXPECT_EQ(child_gets(some(16)), "0-15");
}

TEST_F(StateLockFile, AForkedChildHoldsNothing) {
    const auto groups = open();
    EXPECT_EQ(take(*groups, some(4)), "0-3");
    EXPECT_EQ(child_gets(some(16, false)).substr(0, 38), "groups wanted: 16; free: 4-15; groups ");
    EXPECT_EQ(Child::run([&] {
                  std::string why;
                  if (groups->standing(why) != Standing::kNothing) return 1;
                  groups->release();
                  if (take(*groups, some(4)) != "4-7") return 2;
                  if (Groups::open(place_, kGpu, why)) return 3;
                  return groups->standing(why) == Standing::kHeld ? 0 : 4;
              }),
              0);
    EXPECT_EQ(Child::run([&] {
                  closefrom(3);
                  return 0;
              }),
              0);
    std::string why;
    EXPECT_EQ(groups->standing(why), Standing::kHeld);
    EXPECT_EQ(child_gets(some(1)), "4");
}

// It has the parent's descriptor of the file, and must not open it once more.
TEST_F(StateLockFile, AForkedChildMakesItsOwnObject) {
    auto groups = open();
    EXPECT_EQ(take(*groups, some(4)), "0-3");
    EXPECT_EQ(Child::run([&] {
                  std::string why;
                  const auto own = Groups::open(place_, kGpu, why);
                  if (!own || take(*own, some(4)) != "4-7") return 1;
                  groups.reset();
                  if (own->standing(why) != Standing::kHeld) return 2;
                  return Groups::open(place_, kGpu, why) ? 3 : 0;
              }),
              0);
}

class StateLostLocks : public StateLockFile {
  protected:
    StateLostLocks() : groups_(open()) { EXPECT_EQ(take(*groups_, some(4)), "0-3"); }
    Standing standing() {
        why_.clear();
        return groups_->standing(why_);
    }
    // It lost its locks, took them again, and has them now.
    void expect_retaken() {
        EXPECT_EQ(standing(), Standing::kRetaken) << why_;
        EXPECT_EQ(standing(), Standing::kHeld);
        EXPECT_EQ(child_gets(some(1)), "4");
    }
    std::unique_ptr<Groups> groups_;
    std::string why_;
};

TEST_F(StateLostLocks, TheProgramClosedOurDescriptor) {
    close(descriptor());
    expect_retaken();
}

TEST_F(StateLostLocks, TheProgramHasAnotherFileUnderItsNumber) {
    const int number = descriptor();
    const Descriptor own(::open((folder_.path() + "/own").c_str(), O_CREAT | O_RDWR, 0600));
    ASSERT_EQ(dup2(own.get(), number), number);
    expect_retaken();
    EXPECT_EQ(fcntl(number, F_GETFD), 0) << "the program's file is left open";
    groups_.reset();
    EXPECT_EQ(fcntl(number, F_GETFD), 0);
    close(number);
}

TEST_F(StateLostLocks, TheProgramReadTheFile) {
    close(::open(file().c_str(), O_RDONLY));
    expect_retaken();
}

TEST_F(StateLostLocks, SomebodyRemovedTheFile) {
    unlink(file().c_str());
    expect_retaken();
}

TEST_F(StateLostLocks, SomebodyElseWasQuicker) {
    close(descriptor());
    const auto thief = other(some(2));
    EXPECT_EQ(thief->groups(), "0-1");
    EXPECT_EQ(standing(), Standing::kLost);
    EXPECT_THAT(why_, testing::AllOf(HasSubstr("closed ration's descriptor"),
                                     HasSubstr("groups 0-1 held by pid")));
    EXPECT_EQ(standing(), Standing::kNothing);
    thief->end();
    EXPECT_EQ(take(*groups_, some(4)), "0-3");
}

TEST_F(StateLostLocks, AMemberComesBackToItsScope) {
    groups_->release();
    EXPECT_EQ(take(*groups_, some(4, true, "user:1")), "0-3");
    const auto member = other(some(4, true, "user:1"));
    close(descriptor());
    EXPECT_EQ(standing(), Standing::kRetaken);
    member->end();
    EXPECT_THAT(child_gets(named({3})), HasSubstr("groups 0-3 held"));
}

class StateLockUsers : public StateLockFile {
  protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "other users need root";
    }
};

TEST_F(StateLockUsers, ShareTheDevices) {
    EXPECT_EQ(child_gets(some(4), kAlice), "0-3");
    struct stat info;
    ASSERT_EQ(stat(file().c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kAlice);
    const auto groups = open();
    EXPECT_EQ(take(*groups, some(4)), "0-3");
    EXPECT_EQ(child_gets(some(4), kBob), "4-7");
    EXPECT_THAT(child_gets(some(13), kBob), HasSubstr("free: 4-15"));
}

TEST_F(StateLockUsers, AFileThatOthersMayNotWrite) {
    EXPECT_EQ(child_gets(some(4), kAlice), "0-3");
    chmod(file().c_str(), 0600);
    EXPECT_EQ(Child::run([&] {
                  if (setuid(kBob) != 0) return 1;
                  return refusal() == file() +
                                          " may not be written: have uid 54321 or root chmod "
                                          "666 it"
                             ? 0
                             : 2;
              }),
              0);
}

// In a sticky folder that is not theirs only the maker of a file, and root, can remove it.
TEST_F(StateLockUsers, OthersCannotRemoveTheFile) {
    const auto groups = open();
    EXPECT_EQ(take(*groups, some(4)), "0-3");
    EXPECT_EQ(Child::run([&] {
                  if (setuid(kBob) != 0) return 1;
                  return unlink(file().c_str()) != 0 && errno == EPERM ? 0 : 2;
              }),
              0);
}

}  // namespace
}  // namespace ration::state
