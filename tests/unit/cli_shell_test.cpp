// What `ration env` prints is read back by the shells themselves.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ostream>

#include "tests/unit/temporary_folder.h"
#include "tools/ration/shell.h"

namespace ration::tool {
namespace {

struct Dialect {
    Shell shell;
    const char* program;
    const char* show;  // prints the variable x
};
void PrintTo(const Dialect& dialect, std::ostream* out) { *out << dialect.program; }

std::string output_of(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c = 0; (c = fgetc(pipe)) != EOF;) {
        text += static_cast<char>(c);
    }
    pclose(pipe);
    return text;
}

class ShellTest : public testing::TestWithParam<Dialect> {
  protected:
    void SetUp() override {
        if (output_of(std::string("command -v ") + GetParam().program).empty()) {
            GTEST_SKIP() << GetParam().program << " is not installed";
        }
    }
    // Runs lines in the shell and returns what `show` prints at the end.
    std::string evaluate(const std::string& lines, const std::string& show) {
        const std::string script = folder_.write("script", lines + show + "\n");
        return output_of("HOME=" + folder_.path() + " " + GetParam().program + " " + script);
    }
    std::string after_preload(const std::string& existing, const std::string& library) {
        const Shell shell = GetParam().shell;
        const std::string lines = preload_lines(shell, library);
        return evaluate(export_line(shell, "x", existing) +
                            // not LD_PRELOAD itself: the shell's own commands would meet it
                            replaced(lines + lines),
                        GetParam().show);
    }

  private:
    static std::string replaced(std::string text) {
        const std::string name = "LD_PRELOAD";
        for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
            text.replace(at, name.size(), "x");
        }
        return text;
    }
    TemporaryFolder folder_;
};

TEST_P(ShellTest, ValuesComeBackAsTheyWere) {
    for (const std::string value : {"plain", "two words", "it's", "a\"b", "$HOME `id` $(id)",
                                    "line\nline", "back\\slash", "\\'", "*?[a]~", "!!", "é", ""}) {
        EXPECT_EQ(evaluate(export_line(GetParam().shell, "x", value), GetParam().show), value);
    }
}

TEST_P(ShellTest, UnsetRemoves) {
    const Shell shell = GetParam().shell;
    EXPECT_EQ(evaluate(export_line(shell, "x", "1") + unset_line(shell, "x"), "env | grep ^x="),
              "");
}

TEST_P(ShellTest, PreloadIsMergedOnce) {
    EXPECT_EQ(after_preload("", "/p/libration.so"), "/p/libration.so");
    EXPECT_EQ(after_preload("/a/x.so", "/p/libration.so"), "/p/libration.so:/a/x.so");
    EXPECT_EQ(after_preload("/a/x.so /p/libration.so", "/p/libration.so"),
              "/a/x.so /p/libration.so");
    EXPECT_EQ(after_preload("/p/libration.so:/a/x.so", "/p/libration.so"),
              "/p/libration.so:/a/x.so");
    EXPECT_EQ(after_preload("/p/libration.so.bak", "/p/libration.so"),
              "/p/libration.so:/p/libration.so.bak");
}

TEST_P(ShellTest, PreloadStaysBehindSanitizers) {
    EXPECT_EQ(after_preload("/l/libasan.so.8", "/p/libration.so"),
              "/l/libasan.so.8:/p/libration.so");
}

TEST_P(ShellTest, PreloadPathIsTakenLiterally) {
    EXPECT_EQ(after_preload("/a*b/x.so", "/a*'b/libration.so"), "/a*'b/libration.so:/a*b/x.so");
}

INSTANTIATE_TEST_SUITE_P(Shells, ShellTest,
                         testing::Values(Dialect{Shell::kSh, "dash", "printf %s \"$x\""},
                                         Dialect{Shell::kSh, "bash", "printf %s \"$x\""},
                                         Dialect{Shell::kFish, "fish", "printf %s \"$x\""}),
                         [](const auto& dialect) { return std::string(dialect.param.program); });

}  // namespace
}  // namespace ration::tool
