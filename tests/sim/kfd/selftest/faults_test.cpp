#include "tests/sim/kfd/faults.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sim::kfd {
namespace {

TEST(Faults, NoneAreInjectedUnasked) {
    Faults faults("");
    EXPECT_EQ(faults.error(), "");
    EXPECT_EQ(faults.next("SET_CU_MASK"), 0);
}

TEST(Faults, LastForEverUnlessCounted) {
    Faults faults("SET_CU_MASK=EBUSY");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(faults.next("SET_CU_MASK"), EBUSY);
    EXPECT_EQ(faults.next("CREATE_QUEUE"), 0);
}

TEST(Faults, CountAndFirstCall) {
    Faults faults("SET_CU_MASK=EINTR*2,CREATE_QUEUE=ENOMEM*1@3");
    EXPECT_EQ(faults.next("SET_CU_MASK"), EINTR);
    EXPECT_EQ(faults.next("SET_CU_MASK"), EINTR);
    EXPECT_EQ(faults.next("SET_CU_MASK"), 0);
    EXPECT_EQ(faults.next("CREATE_QUEUE"), 0);
    EXPECT_EQ(faults.next("CREATE_QUEUE"), 0);
    EXPECT_EQ(faults.next("CREATE_QUEUE"), ENOMEM);
    EXPECT_EQ(faults.next("CREATE_QUEUE"), 0);
}

TEST(Faults, OneCallMayBeNamedTwice) {
    Faults faults("SET_CU_MASK=EINTR*1,SET_CU_MASK=EBUSY*1@2");
    EXPECT_EQ(faults.next("SET_CU_MASK"), EINTR);
    EXPECT_EQ(faults.next("SET_CU_MASK"), EBUSY);
    EXPECT_EQ(faults.next("SET_CU_MASK"), 0);
}

TEST(Faults, NumbersAreErrorsToo) {
    Faults faults("X=22");
    EXPECT_EQ(faults.next("X"), EINVAL);
}

TEST(Faults, MistakesAreNamed) {
    for (const char* text : {"X", "=EINVAL", "X=", "X=EWHAT", "X=0", "X=EINVAL*", "X=EINVAL@0",
                             "X=EINVAL*a", "X=EINVAL,"}) {
        EXPECT_NE(Faults(text).error(), "") << text;
    }
}

}  // namespace
}  // namespace sim::kfd
