// Each file of policy/bad says in "#! expect" lines what is to be reported, in full; "..." at the
// end stands for words of the TOML parser, which its versions choose differently.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> policies(const std::string& folder) {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".toml") out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::string> expectations(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream stream(text);
    const std::string mark = "#! expect ";
    for (std::string line; std::getline(stream, line);) {
        if (line.rfind(mark, 0) == 0) out.push_back("p.toml:" + line.substr(mark.size()));
    }
    return out;
}

bool same(const std::string& expected, const std::string& found) {
    if (!expected.ends_with("...")) return expected == found;
    return found.starts_with(expected.substr(0, expected.size() - 3));
}

TEST(Fixtures, EveryMistakeIsReportedAtItsPlace) {
    const auto files = policies(POLICY_FIXTURES "/bad");
    ASSERT_GT(files.size(), 20U);
    for (const fs::path& path : files) {
        SCOPED_TRACE(path.filename().string());
        const std::string text = slurp(path);
        const auto expected = expectations(text);
        EXPECT_FALSE(expected.empty());
        Source source{"p.toml", text};
        source.site = text.find("#! site\n") != std::string::npos;
        const auto found = lines(read({source}).problems);
        for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
            const std::string want = i < expected.size() ? expected[i] : "nothing more";
            const std::string got = i < found.size() ? found[i] : "nothing more";
            EXPECT_TRUE(same(want, got)) << "expected " << want << "\nfound    " << got;
        }
    }
}

TEST(Fixtures, GoodPoliciesHaveNoMistakes) {
    auto files = policies(POLICY_FIXTURES "/good");
    for (const char* folder : {"/examples", "/parsl"}) {
        const auto more = policies(std::string(POLICY_EXAMPLES) + folder);
        EXPECT_FALSE(more.empty()) << folder;
        files.insert(files.end(), more.begin(), more.end());
    }
    for (const fs::path& path : files) {
        Source source{path.filename().string(), slurp(path)};
        source.site = source.text.find("\nlocked = true\n") != std::string::npos;
        EXPECT_EQ(lines(read({source}).problems), std::vector<std::string>());
    }
}

}  // namespace
}  // namespace ration::policy
