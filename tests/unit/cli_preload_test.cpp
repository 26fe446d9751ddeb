// LD_PRELOAD with libration.so merged into it.
#include <gtest/gtest.h>

#include <ostream>

#include "tools/ration/preload.h"

namespace ration::tool {
namespace {

constexpr const char* kOurs = "/p/libration.so";

struct Case {
    const char* existing;
    const char* merged;
};
void PrintTo(const Case& merge, std::ostream* out) { *out << merge.existing; }

class Merge : public testing::TestWithParam<Case> {};

TEST_P(Merge, KeepsTheOthers) {
    EXPECT_EQ(merge_preload(GetParam().existing, kOurs), GetParam().merged);
}

TEST_P(Merge, TwiceIsAsOnce) {
    EXPECT_EQ(merge_preload(GetParam().merged, kOurs), GetParam().merged);
}

INSTANTIATE_TEST_SUITE_P(
    Preload, Merge,
    testing::Values(Case{"", "/p/libration.so"},
                    Case{"/a/libjemalloc.so.2", "/p/libration.so:/a/libjemalloc.so.2"},
                    Case{"/a/x.so:/b/y.so", "/p/libration.so:/a/x.so:/b/y.so"},
                    Case{"/a/x.so /b/y.so", "/p/libration.so:/a/x.so:/b/y.so"},
                    Case{"::/a/x.so: ", "/p/libration.so:/a/x.so"},
                    Case{"/p/libration.so", "/p/libration.so"},
                    Case{"/a/x.so:/p/libration.so", "/p/libration.so:/a/x.so"},
                    Case{"/old/libration.so:/a/x.so:/p/libration.so", "/p/libration.so:/a/x.so"},
                    Case{"libasan.so.8", "libasan.so.8:/p/libration.so"},
                    Case{"/l/libasan.so.8:/a/x.so", "/l/libasan.so.8:/p/libration.so:/a/x.so"},
                    Case{"/l/libtsan.so.2 /a/x.so", "/l/libtsan.so.2:/p/libration.so:/a/x.so"},
                    Case{"/c/libclang_rt.asan-x86_64.so:/a/x.so",
                         "/c/libclang_rt.asan-x86_64.so:/p/libration.so:/a/x.so"},
                    Case{"/p/libration.so:/l/libasan.so.8", "/l/libasan.so.8:/p/libration.so"},
                    Case{"/a/libasan.so.helper/x.so",
                         "/p/libration.so:/a/libasan.so.helper/x.so"}));

TEST(Merge, RuntimeThatTheProgramNeedsComesFirst) {
    EXPECT_EQ(merge_preload("/a/x.so", kOurs, "libasan.so.8"),
              "libasan.so.8:/p/libration.so:/a/x.so");
    EXPECT_EQ(merge_preload("/l/libasan.so.8", kOurs, "libasan.so.8"),
              "/l/libasan.so.8:/p/libration.so");
}

TEST(Merge, FindsTheRuntimeAmongNeededLibraries) {
    EXPECT_EQ(sanitizer_runtime({"libc.so.6", "libtsan.so.2"}), "libtsan.so.2");
    EXPECT_EQ(sanitizer_runtime({"libc.so.6", "libm.so.6"}), "");
}

}  // namespace
}  // namespace ration::tool
