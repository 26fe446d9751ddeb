#include <gtest/gtest.h>

#include "policy_helpers.h"

namespace ration::policy {
namespace {

using Lines = std::vector<std::string>;

TEST(Pool, ScalarsHoldForEverySlotAndArraysForOne) {
    const Loaded loaded = read_text(R"(schema = 1
[pool.paper]
assign = "rank"
memory = "1GiB"
device = [1, 2, [0, 4]]
share = ["50%", "25%", "30%"]
priority = 1
override_visible = true
)");
    ASSERT_EQ(lines(loaded.problems), Lines());
    const Pool& pool = loaded.policy.pools.at("pool.paper");
    EXPECT_EQ(pool.name, "pool.paper");
    EXPECT_EQ(pool.place.line, 2U);
    EXPECT_FALSE(pool.oversubscribe);
    ASSERT_EQ(pool.slots.size(), 3U);
    const double shares[] = {50, 25, 30};
    for (std::size_t i = 0; i < 3; ++i) {
        const Partition& slot = pool.slots[i];
        EXPECT_EQ(slot.name, "pool.paper[" + std::to_string(i) + "]");
        EXPECT_EQ(slot.share, shares[i]);
        EXPECT_EQ(std::get<std::uint64_t>(slot.memory->amount), 1ULL << 30U);
        EXPECT_EQ(slot.priority, 1U);
        EXPECT_TRUE(slot.override_visible);
    }
    ASSERT_EQ(pool.slots[0].devices.size(), 1U);
    EXPECT_EQ(pool.slots[0].devices[0].index, 1U);
    ASSERT_EQ(pool.slots[2].devices.size(), 2U);
    EXPECT_EQ(pool.slots[2].devices[1].index, 4U);
}

TEST(Pool, SlotsGiveTheNumber) {
    const Loaded loaded =
        read_text("schema = 1\n[pool.p]\nslots = 4\nshare = \"25%\"\ndevice = 0\n");
    ASSERT_EQ(lines(loaded.problems), Lines());
    ASSERT_EQ(loaded.policy.pools.at("pool.p").slots.size(), 4U);
    EXPECT_EQ(loaded.policy.pools.at("pool.p").slots[3].devices.at(0).index, 0U);
}

TEST(Pool, SharesMayAddUpToMoreIfThatIsSaid) {
    const std::string text = "schema = 1\n[pool.p]\nshare = [\"80%\", \"80%\"]\n";
    EXPECT_EQ(lines(read_text(text).problems),
              Lines{"p.toml:3:1: the shares of pool.p on every device add up to 160%; allowed: at "
                    "most 100%, or oversubscribe = true"});
    const Loaded loaded = read_text(text + "oversubscribe = true\n");
    EXPECT_EQ(lines(loaded.problems), Lines());
    EXPECT_TRUE(loaded.policy.pools.at("pool.p").oversubscribe);
}

TEST(Pool, AMistakeOfAScalarIsReportedOnce) {
    EXPECT_EQ(read_text("schema = 1\n[pool.p]\nslots = 8\nshare = \"0%\"\n").problems.size(), 1U);
}

}  // namespace
}  // namespace ration::policy
