#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "shim/engine/log.h"
#include "tests/unit/temporary_folder.h"

namespace ration::engine::log {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

std::string contents(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

class LogTest : public testing::Test {
  protected:
    void SetUp() override {
        unsetenv("RATION_LOG");
        unsetenv("RATION_LOG_LEVEL");
    }
    void TearDown() override { SetUp(); }

    std::string on_stderr(Level level, const std::string& text) {
        CaptureStderr();
        write(level, text);
        return GetCapturedStderr();
    }

    TemporaryFolder folder_;
};

TEST_F(LogTest, IsQuietByDefaultButForWhatNeedsAttention) {
    EXPECT_EQ(on_stderr(Level::kError, "refused"), "ration: refused\n");
    EXPECT_EQ(on_stderr(Level::kWarn, "warned"), "ration: warned\n");
    EXPECT_EQ(on_stderr(Level::kInfo, "granted"), "");
}

TEST_F(LogTest, NeverWritesToStdout) {
    setenv("RATION_LOG", "stderr", 1);
    setenv("RATION_LOG_LEVEL", "debug", 1);
    CaptureStdout();
    CaptureStderr();
    write(Level::kDebug, "x");
    EXPECT_EQ(GetCapturedStderr(), "ration: x\n");
    EXPECT_EQ(GetCapturedStdout(), "");
}

TEST_F(LogTest, LevelsCutOff) {
    setenv("RATION_LOG_LEVEL", "error", 1);
    EXPECT_EQ(on_stderr(Level::kWarn, "warned"), "");
    EXPECT_EQ(on_stderr(Level::kError, "refused"), "ration: refused\n");
    setenv("RATION_LOG_LEVEL", "off", 1);
    EXPECT_EQ(on_stderr(Level::kError, "refused"), "");
    setenv("RATION_LOG_LEVEL", "loud", 1);  // not a level: the default
    EXPECT_EQ(on_stderr(Level::kWarn, "warned"), "ration: warned\n");
}

TEST_F(LogTest, AppendsToAFile) {
    setenv("RATION_LOG", (folder_ / "log.%p").c_str(), 1);
    const std::string pid = std::to_string(getpid());
    EXPECT_EQ(on_stderr(Level::kInfo, "granted"), "");
    EXPECT_EQ(on_stderr(Level::kError, "refused"), "ration: refused\n");
    EXPECT_EQ(on_stderr(Level::kDebug, "detail"), "");
    EXPECT_THAT(contents(folder_ / ("log." + pid)),
                MatchesRegex("....-..-..T..:..:..\\....Z " + pid + " info granted\n" +
                             "....-..-..T..:..:..\\....Z " + pid + " error refused\n"));
}

// Once in a process: so in one of its own.
TEST_F(LogTest, SaysOnceThatAFileCannotBeOpened) {
    setenv("RATION_LOG", (folder_ / "nowhere/log").c_str(), 1);
    CaptureStderr();
    const pid_t child = fork();
    if (child == 0) {
        write(Level::kInfo, "granted");
        write(Level::kInfo, "granted");
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    const std::string said = GetCapturedStderr();
    EXPECT_THAT(said, HasSubstr("nowhere/log"));
    EXPECT_EQ(said.find("nowhere/log"), said.rfind("nowhere/log"));
}

TEST_F(LogTest, SurvivesAClosedPipe) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    errno = EXDEV;
    write(Level::kError, "refused");
    EXPECT_EQ(errno, EXDEV);
    sigset_t pending;
    sigpending(&pending);
    dup2(saved, STDERR_FILENO);
    close(saved);
    EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0);
}

// RLIMIT_FSIZE's signal would end the program.
TEST_F(LogTest, SurvivesALimitOfFileSizes) {
    setenv("RATION_LOG", (folder_ / "log").c_str(), 1);
    const pid_t child = fork();
    if (child == 0) {
        const rlimit small = {8, 8};
        setrlimit(RLIMIT_FSIZE, &small);
        write(Level::kInfo, "granted");
        write(Level::kInfo, "granted");
        sigset_t left;
        sigpending(&left);
        _exit(sigismember(&left, SIGXFSZ));
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(contents(folder_ / "log").size(), 8U);
}

TEST(Expand, KnowsPidHostAndPercent) {
    EXPECT_EQ(expand("/tmp/%h.%p.log", 12, "node"), "/tmp/node.12.log");
    EXPECT_EQ(expand("100%%", 12, "node"), "100%");
    EXPECT_EQ(expand("%x%", 12, "node"), "%x%");
}

}  // namespace
}  // namespace ration::engine::log
