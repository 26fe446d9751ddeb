#include "tests/gpu/support/home.h"

#include <gtest/gtest.h>

namespace gpu {

Home make_home(Cuda& cuda) {
    const Split made = split(cuda, sms_of_device(cuda), 8);
    if (made.groups.empty()) return {{made.result, nullptr, nullptr}, 0};
    return {make_green(cuda, {made.groups[0]}), static_cast<int>(made.groups[0].sm.smCount)};
}

Report in_home(const std::function<void(Lab& lab, const Home& home, Report& found)>& work) {
    const Report report = in_child(Lab::environment(), [&work](Cuda& cuda, Report& found) {
        Lab lab(cuda);
        const Home home = make_home(cuda);
        found.set("made", home.green.result);
        if (home.green.result != CUDA_SUCCESS) return;
        cuda.cuCtxSetCurrent(home.context());
        lab.write(nullptr, 7, 0);
        cuda.cuCtxSynchronize();
        work(lab, home, found);
    });
    EXPECT_EQ(report["made"], CUDA_SUCCESS);
    return report;
}

}  // namespace gpu
