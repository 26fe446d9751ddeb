#include <gmock/gmock.h>

#include "shim/cuda/memory_limit.h"
#include "tests/unit/cuda_inventory.h"

namespace ration::cuda {
namespace {

using testing::IsEmpty;

const std::vector<std::string> kTwo = {uuid(0), uuid(1)};

TEST(ReadLimits, TakesWhatTheDriverTakes) {
    const MemoryLimits expected = {{uuid(0), 2048}};
    for (const std::string& value :
         {std::string("0=2G"), std::string("0=2048M"), std::string("0=2GB"), std::string("0=2048m"),
          std::string("0 = 2048M"), std::string("0=2G,"), uuid(0) + "=2G",
          std::string("GPU-aaaa=2G"), std::string("0=4G,GPU-aaaa=2G")}) {
        EXPECT_EQ(read_limits(value, kTwo), expected) << value;
    }
    EXPECT_EQ(read_limits("0=2G,1=512M", kTwo), (MemoryLimits{{uuid(0), 2048}, {uuid(1), 512}}));
}

TEST(ReadLimits, PassesOverWhatIsNoLimit) {
    for (const char* value : {"", "2G", "0=2147483648", "0=2097152K", "2=2G", "bogus",
                              "GPU-ffff=2G", "0=", "=2G", "0=xG"}) {
        EXPECT_THAT(read_limits(value, kTwo), IsEmpty()) << value;
    }
    EXPECT_THAT(read_limits(std::nullopt, kTwo), IsEmpty());
}

// The driver ignores all of these; a policy must not be wider than their readable part.
TEST(ReadLimits, KeepsWhatStandsBesideAnUnreadableEntry) {
    for (const char* value : {"0=1G,bogus", "bogus,0=1G", "0=1G,2=1G", "0=1G,1=5K",
                              "0=1G,1=", "GPU-ffff=2G,0=1G", "0=1G,0=2147483648"}) {
        EXPECT_EQ(read_limits(value, kTwo), (MemoryLimits{{uuid(0), 1024}})) << value;
    }
}

TEST(ReadLimits, RoundsAFractionDown) {
    EXPECT_EQ(read_limits("0=2.5G", kTwo), (MemoryLimits{{uuid(0), 2560}}));
}

TEST(Narrower, TakesTheSmallerOfEachDevice) {
    EXPECT_EQ(narrower({{"a", 100}, {"b", 50}}, {{"a", 70}, {"c", 5}}),
              (MemoryLimits{{"a", 70}, {"b", 50}, {"c", 5}}));
}

TEST(LimitsText, IsWhatTheDriverTakes) {
    const MemoryLimits limits = {{uuid(0), 2048}, {uuid(1), 1}};
    EXPECT_EQ(limits_text(limits), uuid(0) + "=2048M," + uuid(1) + "=1M");
    EXPECT_EQ(read_limits(limits_text(limits), kTwo), limits);
}

TEST(Mebibytes, AreWhole) {
    EXPECT_EQ(mebibytes({std::uint64_t{2147483648}}, 0), 2048U);
    EXPECT_EQ(mebibytes({std::uint64_t{(3 << 20) + 5}}, 0), 3U);
    EXPECT_EQ(mebibytes({25.0}, 80ULL << 30), 20480U);
    EXPECT_EQ(mebibytes({25.0}, 0), std::nullopt);
}

}  // namespace
}  // namespace ration::cuda
