// The four simulated drivers export exactly the rows of exports.def that are not newer than they
// are.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <set>
#include <string>

namespace sim {
namespace {

struct Row {
    const char* symbol;
    int since;
};

constexpr Row kRows[] = {
#define SIM_EXPORT(symbol, family, since, streams) {#symbol, since},
#include "tests/sim/driver/exports.def"
#undef SIM_EXPORT
};

std::string library(const std::string& driver) {
    return std::string(SIM_DIRECTORY) + "/" + driver + "/libcuda.so.1";
}

std::set<std::string> exported(const std::string& file) {
    std::set<std::string> names;
    std::FILE* out = popen(("nm -D --defined-only " + file).c_str(), "r");
    char address[64];
    char type[8];
    char name[256];
    while (out != nullptr && std::fscanf(out, "%63s %7s %255s", address, type, name) == 3) {
        names.insert(name);
    }
    if (out != nullptr) pclose(out);
    return names;
}

std::string soname(const std::string& file) {
    std::string text(256, '\0');
    std::FILE* out = popen(("readelf -d " + file + " | grep SONAME").c_str(), "r");
    if (out != nullptr) {
        text.resize(std::fread(text.data(), 1, text.size(), out));
        pclose(out);
    }
    return text;
}

class Exports : public testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(Exports, AreTheRowsThatTheDriverHas) {
    const auto& [driver, version] = GetParam();
    std::set<std::string> expected;
    for (const Row& row : kRows) {
        if (row.since <= version) expected.insert(row.symbol);
    }
    EXPECT_EQ(exported(library(driver)), expected);
    EXPECT_NE(soname(library(driver)).find("[libcuda.so.1]"), std::string::npos);
}

TEST_P(Exports, TheDriverSaysItsVersion) {
    const auto& [driver, version] = GetParam();
    void* handle = dlopen(library(driver).c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(handle, nullptr) << dlerror();
    const auto get = reinterpret_cast<int (*)(int*)>(dlsym(handle, "cuDriverGetVersion"));
    int answered = 0;
    EXPECT_EQ(get(&answered), 0);
    EXPECT_EQ(answered, version);
}

INSTANTIATE_TEST_SUITE_P(Drivers, Exports,
                         testing::Values(std::pair{"11.4", 11040}, std::pair{"12.2", 12020},
                                         std::pair{"12.8", 12080}, std::pair{"13.0", 13000}));

}  // namespace
}  // namespace sim
