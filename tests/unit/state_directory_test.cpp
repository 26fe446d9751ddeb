// Which runtime directory is chosen, and what is refused: planted links, other owners, open modes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

#include "shim/state/directory.h"
#include "shim/state/layout.h"
#include "shim/state/listing.h"
#include "tests/unit/state_support.h"

namespace ration::state {
namespace {

using Kind = RuntimeDirectory::Kind;
using testing::HasSubstr;

constexpr uid_t kAlice = 54321;
constexpr uid_t kBob = 54322;

mode_t mode_of(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

class StateDirectory : public testing::Test {
  protected:
    StateDirectory() {
        places_.system = folder_.path() + "/run-ration";
        places_.user_parent = folder_.path() + "/shm";
        places_.system_owner = geteuid();
        make(places_.user_parent, 01777);
    }
    static void make(const std::string& path, mode_t mode) {
        ASSERT_EQ(mkdir(path.c_str(), 0700), 0) << path;
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
    }
    void make_system() const { make(places_.system, 01777); }
    RuntimeDirectory find(bool create = true) const {
        return find_directory(places_, geteuid(), std::nullopt, create);
    }
    std::string own(const std::string& prefix) const { return prefix + std::to_string(geteuid()); }
    // Publishes as `uid`, in a child that then exits; 0 if all went well.
    int publish_as(uid_t uid, const std::string& command) const {
        return Child::run([&] {
            if (setuid(uid) != 0) return 2;
            std::string why;
            auto writer = Publisher::open(find_directory(places_, uid, std::nullopt, true), why);
            if (!writer) return 3;
            writer->publish(record_of(command));
            return 0;
        });
    }

    TempFolder folder_;
    Places places_;
};

TEST_F(StateDirectory, PrefersTheOneThatRootMade) {
    make_system();
    const auto found = find();
    EXPECT_EQ(found.kind, Kind::kSystem);
    EXPECT_EQ(found.root, places_.system);
    EXPECT_EQ(found.path, own(places_.system + "/u"));
    EXPECT_EQ(mode_of(found.path), 0755u) << "everyone may see who uses the GPUs";
}

TEST_F(StateDirectory, ElseMakesAPrivateOne) {
    const auto found = find();
    EXPECT_EQ(found.kind, Kind::kUser);
    EXPECT_EQ(found.path, own(places_.user_parent + "/ration-u"));
    EXPECT_EQ(found.root, found.path);
    EXPECT_EQ(found.why, "");
    EXPECT_EQ(mode_of(found.path), 0700u);
}

TEST_F(StateDirectory, MakesNothingUnasked) {
    const auto found = find(false);
    EXPECT_EQ(found.kind, Kind::kUser);
    EXPECT_EQ(mode_of(found.path), 0u);
    EXPECT_TRUE(list_in(places_, found, nullptr).empty());
}

TEST_F(StateDirectory, RecordsAreAsPrivateAsTheirDirectory) {
    std::string why;
    ASSERT_NE(Publisher::open(find(), why), nullptr) << why;
    EXPECT_EQ(mode_of(find().path + "/" + kFileName), 0600u);
    make_system();
    ASSERT_NE(Publisher::open(find(), why), nullptr) << why;
    EXPECT_EQ(mode_of(find().path + "/" + kFileName), 0644u);
}

TEST_F(StateDirectory, LeavesNoOtherFileBehind) {
    std::string why;
    ASSERT_NE(Publisher::open(find(), why), nullptr) << why;
    unsigned entries = 0;
    for (const auto& entry : std::filesystem::directory_iterator(find().path)) {
        EXPECT_EQ(entry.path().filename(), kFileName);
        ++entries;
    }
    EXPECT_EQ(entries, 1u);
}

TEST_F(StateDirectory, DistrustsASystemDirectoryOfAnotherShape) {
    make(places_.system, 0755);
    EXPECT_EQ(find().kind, Kind::kUser);
    EXPECT_THAT(find().why, HasSubstr("not owned by root with mode 1777"));
    chmod(places_.system.c_str(), 0777);
    EXPECT_THAT(find().why, HasSubstr("can be changed by everyone"));
    chmod(places_.system.c_str(), 01777);
    places_.system_owner = geteuid() + 1;
    EXPECT_THAT(find().why, HasSubstr("not owned by root"));
}

TEST_F(StateDirectory, OverrideHoldsAPartForEachUser) {
    const std::string root = folder_.path() + "/mine";
    const auto found = find_directory(places_, geteuid(), root, true);
    EXPECT_EQ(found.kind, Kind::kOverride);
    EXPECT_EQ(found.root, root);
    EXPECT_EQ(found.path, own(root + "/u"));
    EXPECT_EQ(mode_of(found.path), 0700u);
    EXPECT_EQ(find_directory(places_, geteuid(), folder_.path() + "/no/such", true).kind,
              Kind::kNone);
}

TEST_F(StateDirectory, OverrideMustBeAbsoluteAndIsNeverReplaced) {
    EXPECT_THAT(find_directory(places_, geteuid(), "here", true).why,
                HasSubstr("must be an absolute path"));
    const std::string file = folder_.path() + "/file";
    close(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
    EXPECT_THAT(find_directory(places_, geteuid(), file, true).why,
                HasSubstr("is not a directory"));
}

TEST_F(StateDirectory, AnEmptyOverrideIsAsNone) {
    EXPECT_EQ(find_directory(places_, geteuid(), "", true).path, find().path);
    EXPECT_NE(find().kind, Kind::kNone);
}

TEST_F(StateDirectory, RefusesAPlantedLink) {
    const std::string elsewhere = folder_.path() + "/elsewhere";
    make(elsewhere, 0700);
    ASSERT_EQ(symlink(elsewhere.c_str(), own(places_.user_parent + "/ration-u").c_str()), 0);
    const auto found = find();
    EXPECT_EQ(found.kind, Kind::kNone);
    EXPECT_THAT(found.why, HasSubstr("is a symbolic link"));
    std::string why;
    EXPECT_EQ(Publisher::open(found, why), nullptr);
    EXPECT_EQ(why, found.why);
}

TEST_F(StateDirectory, RefusesALinkPlantedAfterTheCheck) {
    auto found = find();
    const std::string elsewhere = folder_.path() + "/elsewhere";
    make(elsewhere, 0700);
    ASSERT_EQ(rmdir(found.path.c_str()), 0);
    ASSERT_EQ(symlink(elsewhere.c_str(), found.path.c_str()), 0);
    std::string why;
    EXPECT_EQ(Publisher::open(found, why), nullptr);
    EXPECT_TRUE(std::filesystem::is_empty(elsewhere));
}

TEST_F(StateDirectory, RefusesALinkInPlaceOfTheFile) {
    const auto found = find();
    const std::string precious = folder_.path() + "/precious";
    close(open(precious.c_str(), O_CREAT | O_WRONLY, 0600));
    const std::string file = found.path + "/" + kFileName;
    ASSERT_EQ(symlink(precious.c_str(), file.c_str()), 0);
    std::string why;
    EXPECT_EQ(Publisher::open(found, why), nullptr);
    EXPECT_EQ(why, file + " is a symbolic link: remove it");
    EXPECT_EQ(std::filesystem::file_size(precious), 0u);
}

TEST_F(StateDirectory, DoesNotHangOnAPipe) {
    const auto found = find();
    ASSERT_EQ(mkfifo((found.path + "/" + kFileName).c_str(), 0600), 0);
    std::string why;
    EXPECT_EQ(Publisher::open(found, why), nullptr);
    EXPECT_THAT(why, HasSubstr("is not a plain file"));
    std::vector<std::string> notes;
    EXPECT_TRUE(list_in(places_, found, &notes).empty());
    EXPECT_THAT(notes, testing::ElementsAre(HasSubstr("is not a records file")));
}

TEST_F(StateDirectory, NamesAFileOfAnotherFormat) {
    const auto found = find();
    close(open((found.path + "/records-2").c_str(), O_CREAT | O_WRONLY, 0600));
    std::string why;
    EXPECT_NE(Publisher::open(found, why), nullptr) << "formats live side by side: " << why;
    std::vector<std::string> notes;
    list_in(places_, found, &notes);
    EXPECT_THAT(notes, testing::ElementsAre(HasSubstr("records-2 is of another ration's format")));
}

TEST_F(StateDirectory, RefusesWhatOthersCanChange) {
    const auto found = find();
    chmod(found.path.c_str(), 0777);
    EXPECT_THAT(find().why, HasSubstr("can be changed by others"));
    chmod(found.path.c_str(), 0700);
    std::string why;
    { const auto writer = Publisher::open(found, why); }
    chmod((found.path + "/" + kFileName).c_str(), 0666);
    EXPECT_EQ(Publisher::open(found, why), nullptr);
    EXPECT_THAT(why, HasSubstr("can be changed by others"));
}

// Of a program with umask 0777, or of one that was killed before it could repair that.
TEST_F(StateDirectory, IsRepairedWhereItsOwnerMayNotEnter) {
    ASSERT_EQ(chmod(folder_.path().c_str(), 0777 | S_ISVTX), 0);
    const uid_t uid = geteuid() == 0 ? 65534 : geteuid();
    const std::string part = places_.user_parent + "/ration-u" + std::to_string(uid);
    EXPECT_EQ(0, Child::run([&] {
                  umask(0777);
                  return publish_as(uid, "first");
              }));
    EXPECT_EQ(mode_of(part), 0700u);
    ASSERT_EQ(chmod(part.c_str(), 0), 0);
    EXPECT_EQ(publish_as(uid, "second"), 0);
    EXPECT_EQ(mode_of(part), 0700u);
}

class StateUsers : public StateDirectory {
  protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "other users need root";
    }
    std::vector<std::string> seen_by(uid_t uid) const {
        std::vector<std::string> commands;
        int fds[2];
        if (pipe(fds) != 0) return {};
        Child::run([&] {
            if (setuid(uid) != 0) return 1;
            const auto directory = find_directory(places_, uid, std::nullopt, false);
            for (const auto& entry : list_in(places_, directory, nullptr)) {
                const std::string line =
                    std::to_string(entry.record.uid) + ":" + entry.record.command + "\n";
                (void)!write(fds[1], line.data(), line.size());
            }
            return 0;
        });
        close(fds[1]);
        std::string all;
        char buffer[256];
        for (ssize_t n; (n = read(fds[0], buffer, sizeof buffer)) > 0;) {
            all.append(buffer, static_cast<std::size_t>(n));
        }
        close(fds[0]);
        for (std::size_t end; (end = all.find('\n')) != std::string::npos; all.erase(0, end + 1)) {
            commands.push_back(all.substr(0, end));
        }
        return commands;
    }
};

TEST_F(StateUsers, EveryoneSeesEveryoneUnderTheSystemDirectory) {
    make_system();
    ASSERT_EQ(publish_as(kAlice, "a"), 0);
    ASSERT_EQ(publish_as(kBob, "b"), 0);
    const auto all = testing::UnorderedElementsAre("54321:a", "54322:b");
    EXPECT_THAT(seen_by(kAlice), all);
    EXPECT_THAT(seen_by(0), all);
}

TEST_F(StateUsers, ElseOnlyOneselfAndRootSeesAll) {
    ASSERT_EQ(publish_as(kAlice, "a"), 0);
    ASSERT_EQ(publish_as(kBob, "b"), 0);
    EXPECT_THAT(seen_by(kAlice), testing::ElementsAre("54321:a"));
    EXPECT_THAT(seen_by(0), testing::UnorderedElementsAre("54321:a", "54322:b"));
}

TEST_F(StateUsers, ForeignDirectoryIsNotUsedAndNotBelieved) {
    make_system();
    ASSERT_EQ(publish_as(kBob, "b"), 0);
    // Bob takes Alice's name, with records that speak of her.
    const auto plant = [&](const std::string& name) {
        std::filesystem::copy(places_.system + "/u54322", name);
        ASSERT_EQ(chown(name.c_str(), kBob, kBob), 0);
        ASSERT_EQ(chown((name + "/" + kFileName).c_str(), kBob, kBob), 0);
    };
    plant(places_.system + "/u54321");
    EXPECT_EQ(find_directory(places_, kAlice, std::nullopt, false).kind, Kind::kUser);
    plant(places_.user_parent + "/ration-u54321");
    EXPECT_EQ(publish_as(kAlice, "a"), 3);
    EXPECT_THAT(seen_by(0), testing::ElementsAre("54322:b"));
    const auto found = find_directory(places_, kAlice, std::nullopt, false);
    EXPECT_EQ(found.kind, Kind::kNone);
    EXPECT_THAT(found.why, HasSubstr("u54321 belongs to uid 54322, not 54321"));
}

TEST_F(StateUsers, RecordIsOfTheUserWhoOwnsTheFile) {
    make_system();
    ASSERT_EQ(publish_as(kBob, "b"), 0);
    std::filesystem::copy(places_.system + "/u54322", places_.system + "/u54321");
    ASSERT_EQ(chown((places_.system + "/u54321").c_str(), kAlice, kAlice), 0);
    ASSERT_EQ(chown((places_.system + "/u54321/" + kFileName).c_str(), kAlice, kAlice), 0);
    EXPECT_THAT(seen_by(0), testing::UnorderedElementsAre("54321:b", "54322:b"));
}

// Bob got a file of his into Alice's directory: by a hard link while others could write to it, say.
TEST_F(StateUsers, AFileOfSomebodyElseIsNotBelieved) {
    make_system();
    ASSERT_EQ(publish_as(kAlice, "a"), 0);
    const std::string file = places_.system + "/u54321/" + kFileName;
    EXPECT_THAT(seen_by(0), testing::ElementsAre("54321:a"));
    ASSERT_EQ(chown(file.c_str(), kBob, kBob), 0);
    EXPECT_THAT(seen_by(0), testing::IsEmpty());
    std::vector<std::string> notes;
    list_in(places_, find_directory(places_, 0, std::nullopt, false), &notes);
    EXPECT_THAT(notes, testing::ElementsAre(HasSubstr("is not a records file of uid 54321")));
}

TEST_F(StateUsers, RootMakesNoDirectoryForOthers) {
    make_system();
    EXPECT_EQ(find_directory(places_, kAlice, std::nullopt, true).kind, Kind::kSystem);
    EXPECT_EQ(mode_of(places_.system + "/u54321"), 0u);
}

// In a mount namespace of its own, with a file system of the test's making over `user_parent`.
class StateFileSystem : public StateDirectory {
  protected:
    // What `body` returns; skips where namespaces are not allowed.
    int on_tmpfs(const char* options, unsigned long flags, const std::function<int()>& body) const {
        return Child::run([&] {
            const int spaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
            if (unshare(spaces) != 0) return 77;
            if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
            if (mount("none", places_.user_parent.c_str(), "tmpfs", flags, options) != 0) return 77;
            return body();
        });
    }
    int refused(const std::string& expected) const {
        std::string why;
        if (Publisher::open(find(), why) != nullptr) return 1;
        if (why.find(expected) != std::string::npos) return 0;
        return std::fprintf(stderr, "why: %s\n", why.c_str()), 2;
    }
};

TEST_F(StateFileSystem, ReadOnly) {
    const int result = on_tmpfs("mode=1777", MS_RDONLY, [&] { return refused("Read-only"); });
    if (result == 77) GTEST_SKIP() << "no mount namespace";
    EXPECT_EQ(result, 0);
}

TEST_F(StateFileSystem, Full) {
    const int result = on_tmpfs("mode=1777,size=16k", 0, [&] {
        const std::string filler = places_.user_parent + "/filler";
        const Descriptor fd(open(filler.c_str(), O_CREAT | O_WRONLY, 0600));
        const std::string page(4096, 'x');
        // One page is left: enough for the header, not for a record.
        for (int i = 0; i < 3; ++i) (void)!write(fd.get(), page.data(), page.size());
        return refused("No space left");
    });
    if (result == 77) GTEST_SKIP() << "no mount namespace";
    EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace ration::state
