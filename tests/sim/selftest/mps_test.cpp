// What only the simulated MPS daemon promises.
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/inspect.h"

namespace sim {
namespace {

using gpu::Cuda;
using gpu::HeldChild;
using gpu::in_child;
using gpu::inspect_context;
using gpu::inspect_device;
using gpu::MpsDaemon;
using gpu::Report;

pid_t pid_of(const MpsDaemon& daemon) {
    std::ifstream file(daemon.pipes() + "/nvidia-cuda-mps-control.pid");
    pid_t pid = -1;
    file >> pid;
    return pid;
}

// Dead or a zombie that its new parent has yet to collect.
bool gone(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string number;
    std::string name;
    std::string state;
    return !(file >> number >> name >> state) || state == "Z";
}

TEST(SimMps, EndsWithItsDirectory) {
    pid_t pid = -1;
    {
        MpsDaemon daemon;
        ASSERT_TRUE(daemon.started());
        pid = pid_of(daemon);
        ASSERT_FALSE(gone(pid));
        std::filesystem::remove_all(daemon.pipes());
    }
    for (int i = 0; i < 500 && !gone(pid); ++i) {
        const timespec pause{0, 10'000'000};
        nanosleep(&pause, nullptr);
    }
    EXPECT_TRUE(gone(pid));
}

TEST(SimMps, AClientThatIsKilledMakesRoom) {
    MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    std::vector<HeldChild> clients;
    for (int i = 0; i < 48; ++i) clients.emplace_back(daemon.client(), inspect_context);
    for (HeldChild& client : clients) EXPECT_EQ(client.report()["retain"], CUDA_SUCCESS);
    EXPECT_EQ(in_child(daemon.client(), inspect_context)["retain"],
              CUDA_ERROR_MPS_MAX_CLIENTS_REACHED);
    clients[7].kill();
    EXPECT_EQ(in_child(daemon.client(), inspect_context)["retain"], CUDA_SUCCESS);
}

TEST(SimMps, EveryContextTakesAPlace) {
    MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    const Report report = in_child(daemon.client(), [](Cuda& cuda, Report& found) {
        cuda.cuInit(0);
        CUcontext context{};
        int made = 0;
        while (cuda.cuCtxCreate_v2(&context, 0, 0) == CUDA_SUCCESS) ++made;
        found.set("made", made);
        cuda.cuCtxDestroy_v2(context);
        found.set("again", cuda.cuCtxCreate_v2(&context, 0, 0));
    });
    EXPECT_EQ(report["made"], 48);
    EXPECT_EQ(report["again"], CUDA_SUCCESS);
}

TEST(SimMps, AClientCanBeTerminated) {
    MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    HeldChild client(daemon.client(), inspect_context);
    EXPECT_EQ(client.report()["retain"], CUDA_SUCCESS);
    const std::string server = daemon.command("get_server_list");
    daemon.command("terminate_client " + server.substr(0, server.size() - 1) + " " +
                   std::to_string(client.pid()));
    EXPECT_EQ(daemon.command("ps"), "");
}

TEST(SimMps, EachDeviceHasRoomOfItsOwn) {
    MpsDaemon daemon;
    ASSERT_TRUE(daemon.started());
    const Report report =
        in_child(daemon.client({{"SIM_CUDA_GPUS", "h100,h100"}}), [](Cuda& cuda, Report& found) {
            cuda.cuInit(0);
            CUcontext context{};
            int made = 0;
            while (made < 48 && cuda.cuCtxCreate_v2(&context, 0, 0) == CUDA_SUCCESS) {
                ++made;
            }
            found.set("made", made);
            found.set("other", cuda.cuCtxCreate_v2(&context, 0, 1));
        });
    EXPECT_EQ(report["made"], 48);
    EXPECT_EQ(report["other"], CUDA_SUCCESS);
}

}  // namespace
}  // namespace sim
