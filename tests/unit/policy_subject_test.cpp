#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "shim/policy/subject.h"
#include "temporary_folder.h"

namespace ration::policy {
namespace {

TEST(ThisProcess, KnowsItself) {
    const Subject& self = this_process();
    EXPECT_EQ(self.exe(), std::filesystem::read_symlink("/proc/self/exe").string());
    EXPECT_NE(self.argv().find("policy_unit"), std::string::npos);
    EXPECT_EQ(self.script(), "");
    EXPECT_EQ(self.uid(), geteuid());
    char host[256] = {};
    ASSERT_EQ(gethostname(host, sizeof host - 1), 0);
    EXPECT_EQ(self.host(), host);
    const std::vector<gid_t>& groups = self.groups();
    EXPECT_NE(std::find(groups.begin(), groups.end(), getegid()), groups.end());
    EXPECT_TRUE(self.cgroup().empty() || self.cgroup().front() == '/') << self.cgroup();
}

TEST(ThisProcess, ReadsTheEnvironmentAsItIsNow) {
    const Subject& self = this_process();
    ASSERT_EQ(unsetenv("RATION_TEST_VARIABLE"), 0);
    EXPECT_FALSE(self.env("RATION_TEST_VARIABLE"));
    ASSERT_EQ(setenv("RATION_TEST_VARIABLE", "late", 1), 0);
    EXPECT_EQ(self.env("RATION_TEST_VARIABLE"), "late");
    ASSERT_EQ(unsetenv("RATION_TEST_VARIABLE"), 0);
}

TEST(ThisProcess, IsAnotherOneAfterAFork) {
    const Subject* parent = &this_process();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const Subject& own = this_process();
        _exit(&own != parent && !own.exe().empty() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_EQ(&this_process(), parent);
}

TEST(Cgroup, IsThatOfVersionTwoElseTheFirst) {
    EXPECT_EQ(cgroup_of("0::/user.slice/session-2.scope\n"), "/user.slice/session-2.scope");
    EXPECT_EQ(cgroup_of("4:memory:/a\n0::/b:c\n"), "/b:c");
    EXPECT_EQ(cgroup_of("4:cpu,cpuacct:/a\n3:memory:/b\n"), "/a");
    EXPECT_EQ(cgroup_of("1:name=systemd:/a"), "/a");
    EXPECT_EQ(cgroup_of(""), "");
    EXPECT_EQ(cgroup_of("nonsense\nmore:nonsense\n"), "");
}

TEST(ThisProcess, IsWhatItWasStartedAs) {
    const TemporaryFolder folder;
    const std::string copy = folder / "python3";
    std::filesystem::copy_file(POLICY_SELF, copy);
    const std::string command = copy + " -u train.py '' 'a  b'";
    FILE* program = popen(command.c_str(), "r");
    ASSERT_NE(program, nullptr);
    char line[1024] = {};
    ASSERT_NE(fgets(line, sizeof line, program), nullptr);
    EXPECT_EQ(pclose(program), 0);
    EXPECT_EQ(line, copy + "|" + copy + " -u train.py  a  b|train.py\n");
}

TEST(ThisProcess, MayBeAskedFromSeveralThreads) {
    std::vector<std::thread> threads;
    std::atomic<int> same{0};
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            const Subject& self = this_process();
            same += self.argv().empty() || self.exe().empty() || self.script() != "" ? 0 : 1;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(same, 8);
}

}  // namespace
}  // namespace ration::policy
