#include <gtest/gtest.h>

#include "shim/policy/subject.h"

namespace ration::policy {
namespace {

using Arguments = std::vector<std::string>;

std::string script(const char* exe, const Arguments& arguments) {
    return script_of(exe, arguments);
}

TEST(Script, IsTheFirstArgumentThatIsNoOption) {
    EXPECT_EQ(script("/usr/bin/python3.11", {"python3", "train.py", "--epochs", "3"}), "train.py");
    EXPECT_EQ(script("/usr/bin/python3.11", {"python3", "-u", "-X", "dev", "-Wignore", "train.py"}),
              "train.py");
    EXPECT_EQ(script("/usr/bin/python3.11", {"python3", "-BuW", "ignore", "a/train.py"}),
              "a/train.py");
    EXPECT_EQ(script("/usr/bin/python3", {"python3", "--check-hash-based-pycs", "always", "t.py"}),
              "t.py");
    EXPECT_EQ(script("/usr/bin/bash", {"bash", "-e", "-o", "pipefail", "run.sh"}), "run.sh");
    EXPECT_EQ(script("/usr/bin/bash", {"-bash", "--rcfile", "rc", "run.sh"}), "run.sh");
    EXPECT_EQ(script("/usr/bin/dash", {"sh", "run.sh"}), "run.sh");
    EXPECT_EQ(script("/usr/bin/perl5.36.0", {"perl", "-w", "-Ilib", "x.pl"}), "x.pl");
    EXPECT_EQ(script("/usr/bin/ruby3.1", {"ruby", "-r", "json", "x.rb"}), "x.rb");
    EXPECT_EQ(script("/opt/julia-1.9/bin/julia",
                     {"julia", "-t", "8", "--threads", "4", "--project=.", "x.jl"}),
              "x.jl");
    EXPECT_EQ(script("/usr/lib/R/bin/Rscript", {"Rscript", "--vanilla", "x.R"}), "x.R");
    EXPECT_EQ(script("/usr/bin/node-20", {"node", "--require", "./m.js", "x.js"}), "x.js");
    EXPECT_EQ(script("/usr/bin/luajit", {"luajit", "-l", "m", "x.lua"}), "x.lua");
    EXPECT_EQ(script("/usr/bin/python3", {"python3", "--", "-x.py"}), "-x.py");
}

TEST(Script, ProgramsOnTheCommandLineGiveTheirOption) {
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-c", "import torch"}), "-c");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-Ic", "import torch", "x.py"}), "-c");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-cpass"}), "-c");
    EXPECT_EQ(script("/usr/bin/bash", {"bash", "-lc", "exec x"}), "-c");
    EXPECT_EQ(script("/usr/bin/perl", {"perl", "-e", "1"}), "-e");
    EXPECT_EQ(script("/usr/bin/node", {"node", "-e", "1"}), "-e");
}

TEST(Script, ModulesGiveTheirName) {
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-m", "torch.distributed.run", "x.py"}),
              "-m torch.distributed.run");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-um", "pip"}), "-m pip");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-mpip"}), "-m pip");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-m"}), "-m ");
    // Bash's -m is another thing.
    EXPECT_EQ(script("/usr/bin/bash", {"bash", "-m", "run.sh"}), "run.sh");
}

TEST(Script, IsEmptyWithoutOne) {
    EXPECT_EQ(script("/usr/bin/python3", {"python"}), "");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-i"}), "");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-", "x.py"}), "");
    EXPECT_EQ(script("/usr/bin/bash", {"bash", "-s", "x.sh"}), "");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "-W"}), "");
    EXPECT_EQ(script("/usr/bin/python3", {"python", "--"}), "");
    EXPECT_EQ(script("/usr/bin/python3", {}), "");
    EXPECT_EQ(script("", {""}), "");
    EXPECT_EQ(script("/opt/bin/simulate", {"simulate", "input.txt"}), "");
    EXPECT_EQ(script("/usr/bin/shotwell", {"shotwell", "x"}), "");
    EXPECT_EQ(script("/usr/bin/perldoc", {"perldoc", "x"}), "");
}

TEST(Script, TheNameThatWasCalledCountsTooIfTheFileHasAnother) {
    EXPECT_EQ(script("/opt/conda/bin/pypy-c", {"/opt/bin/python3", "x.py"}), "x.py");
    EXPECT_EQ(script("", {"python3", "x.py"}), "x.py");
}

}  // namespace
}  // namespace ration::policy
