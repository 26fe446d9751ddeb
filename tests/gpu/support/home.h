// A green context that is current where a program would have the primary one.
#pragma once
#include <functional>

#include "tests/gpu/support/green.h"
#include "tests/gpu/support/lab.h"

namespace gpu {

// On the first group, and how many SMs that has.
struct Home {
    Green green;
    int sms;
    CUcontext context() const { return green.context; }
};
Home make_home(Cuda& cuda);

// In a child with a Lab, with the home current. The report's "made" is the result of making it, and
// fails the test if it isn't 0.
Report in_home(const std::function<void(Lab& lab, const Home& home, Report& found)>& work);

// What a driver without an entry point of the question reports; then the test is skipped.
inline void lacks_entry_point(Report& report) { report.set("absent", 1); }
#define SKIP_WITHOUT_ENTRY_POINT(report) \
    if ((report).has("absent")) GTEST_SKIP() << "this driver lacks an entry point of the question"

}  // namespace gpu
