#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/cuda/inventory.h"
#include "shim/cuda/totals.h"
#include "tests/unit/temporary_folder.h"

namespace ration::cuda {
namespace {

using testing::IsEmpty;

TEST(Totals, AreReadAsTheyWereStored) {
    const TemporaryFolder folder;
    const Totals totals = {{"GPU-a", 132}, {"GPU-b", 108}};
    store_totals(folder.path(), totals);
    EXPECT_EQ(load_totals(folder.path()), totals);
    store_totals(folder.path(), {{"GPU-c", 58}});
    EXPECT_EQ(load_totals(folder.path()), (Totals{{"GPU-c", 58}}));
}

TEST(Totals, AreEmptyWhereThereAreNone) {
    EXPECT_THAT(load_totals("/nonexistent"), IsEmpty());
    store_totals("/nonexistent", {{"GPU-a", 132}});
}

TEST(Totals, SkipLinesThatAreNotUnderstood) {
    const TemporaryFolder folder;
    folder.write("devices",
                 "GPU-a 132\nGPU-b\nGPU-c x\nGPU-d 0\nGPU-e 12x\nGPU-f 99999\n\nGPU-g 108\ncut",
                 0644);
    EXPECT_EQ(load_totals(folder.path()), (Totals{{"GPU-a", 132}, {"GPU-g", 108}}));
}

TEST(Totals, OfAFileThatOthersMayWriteAreNotBelieved) {
    const TemporaryFolder folder;
    const std::string file = folder.write("devices", "GPU-a 132\n", 0666);
    EXPECT_THAT(load_totals(folder.path()), IsEmpty());
    chmod(file.c_str(), 0644);
    EXPECT_EQ(load_totals(folder.path()).size(), 1U);
}

TEST(Totals, DoNotFollowALink) {
    const TemporaryFolder folder;
    const std::string file = folder.write("elsewhere", "GPU-a 132\n", 0644);
    ASSERT_EQ(symlink(file.c_str(), (folder / "devices").c_str()), 0);
    EXPECT_THAT(load_totals(folder.path()), IsEmpty());
}

// RLIMIT_FSIZE's signal would end the program.
TEST(Totals, SurviveALimitOfFileSizes) {
    const TemporaryFolder folder;
    const pid_t child = fork();
    if (child == 0) {
        const rlimit none = {0, 0};
        setrlimit(RLIMIT_FSIZE, &none);
        store_totals(folder.path(), {{"GPU-a", 132}});
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Totals, AreStoredWhereAKilledProcessLeftItsTemporaryFile) {
    const TemporaryFolder folder;
    folder.write("devices." + std::to_string(getpid()), "GPU-", 0644);
    store_totals(folder.path(), {{"GPU-a", 132}});
    EXPECT_EQ(load_totals(folder.path()), (Totals{{"GPU-a", 132}}));
}

TEST(SmsOfCores, ByComputeCapability) {
    EXPECT_EQ(sms_of_cores(16896, 9, 0), 132U);  // H100 SXM
    EXPECT_EQ(sms_of_cores(6912, 8, 0), 108U);   // A100
    EXPECT_EQ(sms_of_cores(10752, 8, 6), 84U);   // A40
    EXPECT_EQ(sms_of_cores(7424, 8, 9), 58U);    // L4
    EXPECT_EQ(sms_of_cores(5120, 7, 0), 80U);    // V100
    EXPECT_EQ(sms_of_cores(2560, 7, 5), 40U);    // T4
    EXPECT_EQ(sms_of_cores(3584, 6, 0), 56U);    // P100
    EXPECT_EQ(sms_of_cores(2560, 6, 1), 20U);    // P4
}

}  // namespace
}  // namespace ration::cuda
