// Which programs LD_PRELOAD reaches, and what is said of the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/temporary_folder.h"
#include "tools/ration/env_line.h"
#include "tools/ration/failure.h"
#include "tools/ration/program.h"

namespace ration::tool {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class ProgramTest : public testing::Test {
  protected:
    // A copy of a dynamic program of this machine with one byte of its header changed.
    std::string changed_copy(const std::string& name, std::size_t offset, char value) {
        std::ifstream in("/proc/self/exe", std::ios::binary);
        std::string bytes((std::istreambuf_iterator<char>(in)), {});
        bytes.at(offset) = value;
        return folder_.write(name, bytes);
    }
    static void expect_refused(const std::string& name, int code, const char* text) {
        const Program program = inspect_program({name});
        EXPECT_THAT(program.obstacle, HasSubstr(text));
        EXPECT_EQ(program.code, code);
        EXPECT_EQ(program.obstacle.find('\n'), std::string::npos);
    }
    static void expect_reached(const std::string& name) {
        EXPECT_EQ(inspect_program({name}).obstacle, "");
    }

    TemporaryFolder folder_;
};

TEST_F(ProgramTest, DynamicIsReached) {
    expect_reached("/proc/self/exe");
    expect_reached("sh");
    EXPECT_FALSE(inspect_program({"sh"}).elf->interpreter.empty());
}

TEST_F(ProgramTest, LoaderItselfIsReached) {
    expect_reached(inspect_program({"sh"}).elf->interpreter);
}

TEST_F(ProgramTest, MissingIs127) {
    expect_refused("no-such-program-anywhere", kNotFound, "no such program on PATH");
    expect_refused(folder_ / "nothing", kNotFound, "no such file");
    expect_refused("", kNotFound, "empty");
}

TEST_F(ProgramTest, NotExecutableIs126) {
    expect_refused(folder_.write("data", "x", 0644), kNotRunnable, "not executable");
    expect_refused(folder_.path(), kNotRunnable, "not executable");
}

TEST_F(ProgramTest, StaticIsRefused) {
    expect_refused(STATIC_PROGRAM, kRefused, "statically linked");
}

TEST_F(ProgramTest, OtherMachineIsRefused) {
    expect_refused(changed_copy("arm", 18, 40), kRefused, "is for arm");  // e_machine EM_ARM
}

TEST_F(ProgramTest, DamagedIsRefused) {
    expect_refused(folder_.write("cut", std::string("\177ELF\2\1\1", 7)), kNotRunnable, "cut");
}

TEST_F(ProgramTest, MuslIsRefused) {
    std::ifstream in("/proc/self/exe", std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const std::string loader = read_elf("/proc/self/exe")->interpreter;
    const std::string musl = "/lib/ld-musl-x.so";
    ASSERT_GE(loader.size(), musl.size());
    bytes.replace(bytes.find(loader), musl.size() + 1, musl + '\0');
    expect_refused(folder_.write("musl", bytes), kRefused, "musl");
}

TEST_F(ProgramTest, SetUserIdOfAnotherIsRefused) {
    std::string file = folder_ / "setuid";
    fs::copy_file(fs::read_symlink("/proc/self/exe"), file);
    ASSERT_EQ(chmod(file.c_str(), 04755), 0);
    expect_reached(file);  // our own: the real and the effective user stay the same
    if (geteuid() != 0) {
        file = "/usr/bin/su";
    } else {
        ASSERT_EQ(chown(file.c_str(), 65534, 65534), 0);
        ASSERT_EQ(chmod(file.c_str(), 04755), 0);  // chown took the bit away
    }
    expect_refused(file, kRefused, "LD_PRELOAD for it: start a copy");
}

TEST_F(ProgramTest, SetGroupIdOfAnotherIsRefused) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can give a file to a group that it is not in";
    }
    const std::string file = folder_ / "setgid";
    fs::copy_file(fs::read_symlink("/proc/self/exe"), file);
    ASSERT_EQ(chown(file.c_str(), 0, 65534), 0);
    ASSERT_EQ(chmod(file.c_str(), 02755), 0);
    expect_refused(file, kRefused, "set-group-ID");
}

// What an ordinary user is told of a file with a capability; root is not concerned by one.
int refused_for_nobody(const std::string& file, bool no_new_privileges) {
    const pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0 ||
            (no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)) {
            _exit(2);
        }
        const std::string text = inspect_program({file}).obstacle;
        _exit(text.find("file capabilities") != std::string::npos ? 1 : text.empty() ? 0 : 3);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

TEST_F(ProgramTest, FileCapabilitiesAreRefused) {
    const std::string file = folder_ / "capable";
    fs::copy_file("/bin/true", file);
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
    // CAP_NET_BIND_SERVICE, permitted and effective: struct vfs_cap_data, linux/capability.h
    const vfs_cap_data capability{VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                  {{1U << CAP_NET_BIND_SERVICE, 0}, {0, 0}}};
    if (setxattr(file.c_str(), "security.capability", &capability, XATTR_CAPS_SZ_2, 0) != 0) {
        GTEST_SKIP() << "needs root and a file system with capabilities";
    }
    expect_reached(file);
    EXPECT_EQ(refused_for_nobody(file, false), 1);
    EXPECT_EQ(refused_for_nobody(file, true), 0);
}

TEST_F(ProgramTest, ScriptIsJudgedByItsInterpreter) {
    expect_reached(folder_.write("good", "#! /bin/sh -e\ntrue\n"));
    expect_refused(folder_.write("bad", std::string("#!") + STATIC_PROGRAM + "\n"), kRefused,
                   "statically linked");
    expect_refused(folder_.write("gone", "#!/no/such/interpreter\n"), kNotFound,
                   "interpreter /no/such/interpreter");
}

TEST_F(ProgramTest, ScriptOfAScriptIsFollowed) {
    const std::string inner = folder_.write("inner", std::string("#!") + STATIC_PROGRAM + "\n");
    expect_refused(folder_.write("outer", "#!" + inner + "\n"), kRefused, "statically linked");
    const std::string circle = folder_ / "circle";
    expect_refused(folder_.write("circle", "#!" + circle + "\n"), kNotRunnable, "circle");
}

TEST_F(ProgramTest, EnvIsFollowed) {
    const std::string line = std::string("#!/usr/bin/env ");
    expect_reached(folder_.write("good", line + "sh\n"));
    expect_refused(folder_.write("bad", line + STATIC_PROGRAM + "\n"), kRefused, "statically");
    expect_refused(folder_.write("split", line + "-S A=1 " + STATIC_PROGRAM + " -u\n"), kRefused,
                   "statically");
    expect_refused(folder_.write("gone", line + "no-such-python\n"), kNotFound, "no-such-python");
}

TEST_F(ProgramTest, EnvIsFollowedThroughItsOptions) {
    const std::vector<std::string> words{"sh", "-e"};
    for (const char* line :
         {"-S sh -e", "-Ssh -e", "-S -u FOO sh -e", "-S -uFOO sh -e", "-vS sh -e",
          "--split-string=sh -e", "-S --unset=FOO sh -e", "-S --unset FOO A=1 sh -e",
          "-S \"sh\" '-e'", "-S -- sh -e # more", "-S --ignore-signal sh -e", "-S -0 sh\\_-e"}) {
        EXPECT_EQ(env_command(line), words) << line;
    }
    EXPECT_EQ(env_command("-S -C /tmp /bin/sh"), std::vector<std::string>{"/bin/sh"});
    EXPECT_EQ(env_command("-S 'a b' \"c\\_d\""), (std::vector<std::string>{"a b", "c d"}));
    EXPECT_EQ(env_command("sh -e"), std::vector<std::string>{"sh -e"});  // one word, as env sees it
}

TEST_F(ProgramTest, EnvItselfIsExaminedWhereItsLineIsNotUnderstood) {
    for (const char* argument :
         {"-S --no-such sh", "-S ${SHELL} -e", "-S 'open", "-i", "A=1", "-S -i sh", "-S PATH=/x sh",
          "-S -u PATH sh", "-S -C / bin/sh", "-u", "-S -a name sh", "-S \\x"}) {
        EXPECT_TRUE(env_command(argument).empty()) << argument;
        const std::string file =
            folder_.write("script", std::string("#!/usr/bin/env ") + argument + "\n");
        const Program program = inspect_program({file});
        EXPECT_EQ(program.obstacle, "") << argument;
        EXPECT_EQ(program.loaded(), "/usr/bin/env") << argument;
    }
}

TEST_F(ProgramTest, TextWithoutInterpreterGoesToTheShell) {
    const std::string file = folder_.write("plain", "true\n");
    const Program program = inspect_program({file});
    EXPECT_EQ(program.obstacle, "");
    EXPECT_EQ(program.loaded(), "/bin/sh");
}

TEST_F(ProgramTest, ArgumentsAreThoseThatTheProcessWillHave) {
    using testing::ElementsAre;
    const auto arguments = [](const std::string& file) {
        return inspect_program({file, "-x", "y"}).arguments;
    };
    EXPECT_THAT(inspect_program({"sh", "-c", "true"}).arguments, ElementsAre("sh", "-c", "true"));
    const std::string script = folder_.write("script", "#!/bin/sh -e -u\n");
    EXPECT_THAT(arguments(script), ElementsAre("/bin/sh", "-e -u", script, "-x", "y"));
    const std::string env = folder_.write("env", "#!/usr/bin/env -S A=1 sh -e\n");
    EXPECT_THAT(arguments(env), ElementsAre("sh", "-e", env, "-x", "y"));
    const std::string plain = folder_.write("plain", "true\n");
    EXPECT_THAT(arguments(plain), ElementsAre("/bin/sh", plain, "-x", "y"));
}

TEST_F(ProgramTest, SearchGoesOnBehindAFileThatMayNotBeExecuted) {
    const std::string old = getenv("PATH");
    folder_.write("sh", "x", 0644);
    setenv("PATH", (folder_.path() + ":" + old).c_str(), 1);
    expect_reached("sh");
    setenv("PATH", folder_.path().c_str(), 1);
    expect_refused("sh", kNotRunnable, "not executable");
    setenv("PATH", old.c_str(), 1);
}

}  // namespace
}  // namespace ration::tool
