// The driver's functions that are looked up at first use.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "shim/cuda/real.h"

namespace ration::cuda {
namespace {

std::vector<Hook> asked;

CUresult init(unsigned int) { return CUDA_ERROR_UNKNOWN; }

void* find(std::uint32_t hook) {
    asked.push_back(static_cast<Hook>(hook));
    return static_cast<Hook>(hook) == Hook::cuInit ? reinterpret_cast<void*>(&init) : nullptr;
}

void* find_nothing(std::uint32_t) { return nullptr; }

TEST(Real, LooksUpWhatIsAskedForOnce) {
    static_assert(std::is_same_v<Entry<Hook::cuInit>, CUresult (*)(unsigned int)>);
    look_up_by(&find);
    asked.clear();
    EXPECT_EQ(real<Hook::cuInit>()(0), CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(real<Hook::cuInit>()(0), CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(asked, std::vector{Hook::cuInit});
    EXPECT_EQ(real<Hook::cuCtxCreate_v4>(), nullptr) << "this driver has none";
}

TEST(Real, ForgetsWhatAnotherFound) {
    look_up_by(&find);
    EXPECT_NE(real<Hook::cuInit>(), nullptr);
    look_up_by(&find_nothing);
    EXPECT_EQ(real<Hook::cuInit>(), nullptr);
}

}  // namespace
}  // namespace ration::cuda
