#include <gtest/gtest.h>

#include <functional>

#include "shim/cuda/choose.h"

namespace ration::cuda {
namespace {

using policy::Mechanism;
using policy::Partition;

struct Expected {
    const char* what;
    std::function<void(Partition&)> ask;
    std::optional<Mechanism> mechanism;
    bool needs_daemon;
};

TEST(Choose, KeepsWhatIsAskedByTheCheapestMechanism) {
    const Expected rows[] = {
        {"share", [](Partition& p) { p.share = 25; }, Mechanism::kMps, true},
        {"sm", [](Partition& p) { p.sm = 32; }, Mechanism::kMps, true},
        {"priority", [](Partition& p) { p.priority = 1; }, Mechanism::kMps, true},
        {"memory", [](Partition& p) { p.memory = policy::Memory{25.0}; }, Mechanism::kMps, false},
        {"mig", [](Partition& p) { p.mig = "MIG-1"; }, Mechanism::kMig, false},
        {"device", [](Partition& p) { p.devices.emplace_back(); }, std::nullopt, false},
        {"groups", [](Partition& p) { p.sm_groups = {0}; }, Mechanism::kGreen, true},
        {"device_share", [](Partition& p) { p.device_share = {25}; }, Mechanism::kGreen, true},
    };
    for (const Expected& row : rows) {
        Partition partition;
        row.ask(partition);
        const Choice choice = choose_mechanism(partition);
        EXPECT_EQ(choice.mechanism, row.mechanism) << row.what;
        EXPECT_EQ(choice.needs_daemon, row.needs_daemon) << row.what;
        EXPECT_FALSE(choice.why.empty()) << row.what;
    }
}

TEST(Choose, TakesGroupsWhereAPercentageWillNotDo) {
    const Expected rows[] = {
        {"exclusive", [](Partition& p) { p.exclusive = true; }, {}, true},
        {"granularity",
         [](Partition& p) { p.granularity = policy::SmGranularity::kFine; },
         {},
         true},
        {"scope", [](Partition& p) { p.scope = policy::Scope::kUser; }, {}, true},
    };
    for (const Expected& row : rows) {
        Partition partition;
        partition.share = 25;
        row.ask(partition);
        const Choice choice = choose_mechanism(partition);
        EXPECT_EQ(choice.mechanism, Mechanism::kGreen) << row.what;
        EXPECT_TRUE(choice.needs_daemon) << row.what;
        EXPECT_EQ(choice.why.find(row.what), 0U) << choice.why;
    }
}

TEST(Choose, WhatIsWrittenWins) {
    Partition partition;
    partition.share = 25;
    partition.mechanism = Mechanism::kGreen;
    EXPECT_EQ(choose_mechanism(partition).mechanism, Mechanism::kGreen);
    EXPECT_FALSE(choose_mechanism(partition).needs_daemon);
    partition.mechanism = Mechanism::kMps;
    EXPECT_EQ(choose_mechanism(partition).mechanism, Mechanism::kMps);
    EXPECT_EQ(choose_mechanism(partition).why, "mechanism = \"mps\" is written");
}

TEST(Choose, AQuotaThatProcessesShareIsNotOfMps) {
    Partition partition;
    partition.memory = policy::Memory{25.0};
    partition.scope = policy::Scope::kCgroup;
    EXPECT_EQ(choose_mechanism(partition).mechanism, std::nullopt);
    EXPECT_FALSE(choose_mechanism(partition).needs_daemon);
}

}  // namespace
}  // namespace ration::cuda
