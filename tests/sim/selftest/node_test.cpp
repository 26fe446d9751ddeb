// SIM_CUDA_GPUS: the node that the driver and NVML show.
#include "tests/sim/node/node.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "tests/gpu/support/inspect.h"

namespace sim {
namespace {

using gpu::Cuda;
using gpu::in_child;
using gpu::inspect_device;
using gpu::Report;

constexpr const char* kGpus = "SIM_CUDA_GPUS";
constexpr const char* kVisible = "CUDA_VISIBLE_DEVICES";

// "BUS " for each device in the driver's order.
void pci_ids(Cuda& cuda, Report& found) {
    inspect_device(cuda, found);
    std::string all;
    for (int i = 0; i < static_cast<int>(found["count"]); ++i) {
        std::array<char, 32> id{};
        cuda.cuDeviceGetPCIBusId(id.data(), id.size(), i);
        all += std::string(id.data()) + " ";
    }
    found.set("pci", all);
}

TEST(Node, HasTheModelsThatAreAskedFor) {
    const struct {
        const char* model;
        int sms;
        long long mib;
    } kModels[] = {
        {"h100", 132, 81079}, {"h200", 132, 143771}, {"a100", 108, 40326}, {"l4", 58, 22731}};
    for (const auto& each : kModels) {
        const Report report = in_child({{kGpus, each.model}}, inspect_device);
        EXPECT_EQ(report["sms"], each.sms) << each.model;
        EXPECT_EQ(report["total_mib"], each.mib) << each.model;
    }
}

TEST(Node, ManyGpusHaveUuidsOfTheirOwnAndPciIdsInOrder) {
    std::string text = "h100";
    for (int i = 1; i < 12; ++i) text += ",h100";
    const Node node = parse_node(text);
    std::set<std::string> beginnings;
    for (const Gpu& each : node.gpus) beginnings.insert(each.uuid.substr(0, 6));
    EXPECT_EQ(beginnings.size(), 12U) << "two digits tell them apart";
    EXPECT_EQ(in_child({{kGpus, text}, {kVisible, "11,10"}}, pci_ids).text("pci"),
              "0000:1B:00.0 0000:1A:00.0 ");
}

TEST(Node, CudaNumbersTheFastestFirstUnlessToldOtherwise) {
    EXPECT_EQ(in_child({{kGpus, "l4,a100,h100"}}, pci_ids).text("pci"),
              "0000:12:00.0 0000:11:00.0 0000:10:00.0 ");
    EXPECT_EQ(in_child({{kGpus, "l4,a100,h100"}, {"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}}, pci_ids)
                  .text("pci"),
              "0000:10:00.0 0000:11:00.0 0000:12:00.0 ");
    EXPECT_EQ(in_child({{kGpus, "l4,h100"}, {kVisible, "0"}}, pci_ids).text("pci"),
              "0000:11:00.0 ");
}

TEST(Node, MayHaveNoGpu) {
    EXPECT_EQ(in_child({{kGpus, "none"}}, inspect_device)["init"], CUDA_ERROR_NO_DEVICE);
}

TEST(Node, AMistakeInItsDescriptionIsNoDriver) {
    EXPECT_EQ(parse_node("h101").error, "SIM_CUDA_GPUS: no such model: h101");
    EXPECT_EQ(parse_node("").error, "SIM_CUDA_GPUS: no such model: ");
    EXPECT_EQ(parse_node("l4/1g.10gb").error, "SIM_CUDA_GPUS: no such MIG profile: 1g.10gb");
    EXPECT_EQ(parse_node("h100/1g.10gbx").error, "SIM_CUDA_GPUS: no such MIG profile: 1g.10gbx");
    EXPECT_NE(parse_node("h100/4g.40gb/4g.40gb").error, "");
    EXPECT_EQ(in_child({{kGpus, "h101"}}, inspect_device)["init"], CUDA_ERROR_SYSTEM_NOT_READY);
}

constexpr const char* kMigNode = "h100/3g.40gb/1g.10gb,h200";

TEST(Mig, AGpuInMigModeIsItsFirstInstance) {
    for (const char* list : {"0", "GPU-1a"}) {
        const Report report = in_child({{kGpus, kMigNode}, {kVisible, list}}, inspect_device);
        EXPECT_EQ(report["count"], 1) << list;
        EXPECT_EQ(report["sms"], 60) << list;
        EXPECT_EQ(report["total_mib"], 40000) << list;
    }
}

TEST(Mig, AnInstanceIsChosenByItsUuid) {
    const MigInstance second = parse_node(kMigNode).gpus[0].instances[1];
    const std::string older = "MIG-" + parse_node(kMigNode).gpus[0].uuid + "/2/0";
    for (const std::string& list : {second.uuid, second.uuid.substr(0, 6), older}) {
        const Report report = in_child({{kGpus, kMigNode}, {kVisible, list}}, inspect_device);
        EXPECT_EQ(report["count"], 1) << list;
        EXPECT_EQ(report["sms"], 16) << list;
        EXPECT_EQ("MIG-" + report.text("uuid"), second.uuid) << list;
    }
}

// R570 and newer show several; older ones the first alone.
TEST(Mig, HowManyInstancesAProcessSeesDependsOnTheDriver) {
    const Gpu first = parse_node(kMigNode).gpus[0];
    const std::string both = first.instances[1].uuid + "," + first.instances[0].uuid;
    const Report report =
        in_child({{kGpus, kMigNode}, {kVisible, both}}, [](Cuda& cuda, Report& found) {
            inspect_device(cuda, found);
            int version = 0;
            cuda.cuDriverGetVersion(&version);
            found.set("driver", version);
        });
    EXPECT_EQ(report["count"], report["driver"] < 12080 ? 1 : 2);
    EXPECT_EQ(report["sms"], 16);
}

}  // namespace
}  // namespace sim
