// Daemons are found in the order in which clients choose, and dead ones are told from live ones.
#include "shim/cuda/mps_pipe.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/unit/temporary_folder.h"

namespace ration::cuda {
namespace {

// A socket of the daemon's kind that listens as long as this object lives; the file stays.
class Listener {
  public:
    explicit Listener(const std::string& directory, int type = SOCK_SEQPACKET, int backlog = 8) {
        std::filesystem::create_directories(directory);
        descriptor_ = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        strncpy(address.sun_path, (directory + "/control").c_str(), sizeof address.sun_path - 1);
        EXPECT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(descriptor_, backlog), 0);
    }
    ~Listener() { close(descriptor_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

  private:
    int descriptor_;
};

class MpsPipeTest : public testing::Test {
  protected:
    PipeState state(const std::string& directory) const {
        return probe_pipe(directory, PipeOrigin::kDefault).state;
    }
    TemporaryFolder folder_;
    state::RuntimeDirectory runtime_{state::RuntimeDirectory::Kind::kOverride, folder_ / "run/u7",
                                     folder_ / "run", ""};
};

TEST_F(MpsPipeTest, AbsentAliveAndDead) {
    const std::string pipe = folder_ / "pipe";
    EXPECT_EQ(state(pipe), PipeState::kAbsent);
    {
        const Listener listener(pipe);
        EXPECT_EQ(state(pipe), PipeState::kAlive);
        EXPECT_EQ(probe_pipe(pipe, PipeOrigin::kDefault).uid, geteuid());
    }
    EXPECT_EQ(state(pipe), PipeState::kDead);
}

TEST_F(MpsPipeTest, PidComesFromTheDaemonsFile) {
    const Listener listener(folder_ / "pipe");
    EXPECT_EQ(probe_pipe(folder_ / "pipe", PipeOrigin::kDefault).pid, 0);
    folder_.write("pipe/nvidia-cuda-mps-control.pid", "527");
    EXPECT_EQ(probe_pipe(folder_ / "pipe", PipeOrigin::kDefault).pid, 527);
    folder_.write("pipe/nvidia-cuda-mps-control.pid", "-1");
    EXPECT_EQ(probe_pipe(folder_ / "pipe", PipeOrigin::kDefault).pid, 0);
}

TEST_F(MpsPipeTest, AnotherKindOfSocketIsNoDaemon) {
    const Listener listener(folder_ / "pipe", SOCK_STREAM);
    EXPECT_EQ(state(folder_ / "pipe"), PipeState::kDenied);
}

// Its queue is full: connect(2) gives EAGAIN, and no credentials.
TEST_F(MpsPipeTest, ABusyDaemonIsJudgedByTheOwnerOfItsSocket) {
    const std::string pipe = folder_ / "pipe";
    const Listener listener(pipe, SOCK_SEQPACKET, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string file = pipe + "/control";
    strncpy(address.sun_path, file.c_str(), sizeof address.sun_path - 1);
    const int waiting = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_EQ(connect(waiting, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    MpsPipe found = probe_pipe(pipe, PipeOrigin::kDefault);
    EXPECT_EQ(found.state, PipeState::kAlive);
    EXPECT_EQ(found.uid, geteuid());
    constexpr uid_t kSomebody = 4711;
    if (lchown(file.c_str(), kSomebody, getegid()) == 0) {  // root alone may
        found = probe_pipe(pipe, PipeOrigin::kDefault);
        EXPECT_EQ(found.state, PipeState::kForeign);
        EXPECT_EQ(found.uid, kSomebody);
    }
    close(waiting);
}

// A container that an ordinary user started: root outside is nobody whom it knows.
TEST_F(MpsPipeTest, RootsDaemonServesInAUserNamespaceToo) {
    const std::string pipe = folder_ / "pipe";
    const Listener listener(pipe);
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    std::filesystem::permissions(pipe + "/control", std::filesystem::perms(0777));
    int inside[2];
    int mapped[2];
    ASSERT_EQ(::pipe(inside) + ::pipe(mapped), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte = 0;
        close(mapped[1]);
        if (unshare(CLONE_NEWUSER) != 0) _exit(77);
        if (write(inside[1], &byte, 1) != 1 || read(mapped[0], &byte, 1) != 1) _exit(77);
        if (setuid(0) != 0) _exit(77);
        _exit(static_cast<int>(state(pipe)));
    }
    close(inside[1]);
    char byte = 0;
    if (read(inside[0], &byte, 1) == 1) {
        std::ofstream("/proc/" + std::to_string(child) + "/uid_map") << "0 4711 1\n";
        EXPECT_EQ(write(mapped[1], &byte, 1), 1);
    }
    close(mapped[1]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    for (const int end : {inside[0], mapped[0]}) close(end);
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no user namespaces here";
    EXPECT_EQ(static_cast<PipeState>(WEXITSTATUS(status)), PipeState::kAlive);
}

TEST_F(MpsPipeTest, LongPathsAreRefused) {
    const std::string longest(kMpsLongestPipe, 'a');
    EXPECT_TRUE(pipe_fits(longest));
    EXPECT_FALSE(pipe_fits(longest + "a"));
    EXPECT_EQ(state(longest + "a"), PipeState::kTooLong);
}

TEST_F(MpsPipeTest, OrderIsEnvironmentPrivateSystem) {
    const auto found = [&] {
        const auto daemon = find_daemon(folder_ / "given", runtime_);
        return std::string(daemon ? name(daemon->origin) : "none");
    };
    const Listener system(system_pipe(runtime_));
    EXPECT_EQ(found(), "system");
    {
        const Listener own(private_pipe(runtime_));
        EXPECT_EQ(found(), "private");
        const Listener given(folder_ / "given");
        EXPECT_EQ(found(), "environment");
    }
    EXPECT_EQ(found(), "system");  // the files of the others are still there
}

TEST_F(MpsPipeTest, EachDirectoryIsLookedAtOnce) {
    const auto pipes = probe_pipes(private_pipe(runtime_), runtime_);
    ASSERT_EQ(pipes.size(), 3U);
    EXPECT_EQ(pipes[0].origin, PipeOrigin::kEnvironment);
    EXPECT_EQ(pipes[1].origin, PipeOrigin::kSystem);
    EXPECT_EQ(pipes[2].directory, "/tmp/nvidia-mps");
    EXPECT_EQ(probe_pipes("", runtime_).size(), 3U);  // an empty variable is as none
}

}  // namespace
}  // namespace ration::cuda
