// The MPS daemon: its files, its commands, its limit of clients, and what it leaves behind.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/gpu/support/daemon.h"
#include "tests/gpu/support/inspect.h"

namespace gpu {
namespace {

// The file's type and permissions, or 0.
mode_t mode(const std::string& file) {
    struct stat info {};
    return stat(file.c_str(), &info) == 0 ? info.st_mode : 0;
}

class Daemon : public testing::Test {
  protected:
    void SetUp() override {
        if (!have_mps()) GTEST_SKIP() << "no nvidia-cuda-mps-control on PATH";
        daemon_.emplace();
        ASSERT_TRUE(daemon_->started());
    }
    // By what a percentage does: older drivers have no attribute that says so.
    bool mps_on() {
        const Report report = in_child(
            daemon_->client({{"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "25"}}), inspect_device);
        EXPECT_EQ(report["init"], CUDA_SUCCESS);
        if (part().driver >= 12020) {
            EXPECT_EQ(report["mps"] == 1, report["sms"] < part().sms);
        }
        return report["sms"] < part().sms;
    }
    std::string server() {
        std::string text = daemon_->command("get_server_list");
        while (!text.empty() && text.back() == '\n') text.pop_back();
        return text;
    }
    std::optional<MpsDaemon> daemon_;
};

TEST_F(Daemon, LaysItsFilesOut) {
    const std::string& pipes = daemon_->pipes();
    EXPECT_EQ(mode(pipes + "/control"), S_IFSOCK | 0666U);
    EXPECT_EQ(mode(pipes + "/control_privileged"), S_IFSOCK | 0755U);
    EXPECT_EQ(mode(pipes + "/control_lock"), S_IFREG | 0666U);
    EXPECT_EQ(mode(pipes + "/log"), S_IFIFO | 0777U);
    EXPECT_EQ(mode(pipes + "/nvidia-cuda-mps-control.pid"), S_IFREG | 0666U);
}

TEST_F(Daemon, IsAloneInItsDirectory) {
    EXPECT_EQ(daemon_->start(), 1);
    EXPECT_EQ(daemon_->command("get_default_active_thread_percentage"), "100.0\n");
}

TEST_F(Daemon, AfterQuitThereIsNoMps) {
    EXPECT_TRUE(mps_on());
    daemon_->quit();
    EXPECT_FALSE(mps_on());
    const std::string& pipes = daemon_->pipes();
    EXPECT_NE(mode(pipes + "/control"), 0U) << "the socket stays behind";
    EXPECT_EQ(mode(pipes + "/log"), 0U);
    EXPECT_EQ(mode(pipes + "/nvidia-cuda-mps-control.pid"), 0U);
    EXPECT_EQ(daemon_->start(), 0) << "and hinders no new daemon";
}

TEST_F(Daemon, KilledItLeavesEverythingAndThereIsNoMps) {
    daemon_->kill();
    const std::string& pipes = daemon_->pipes();
    EXPECT_NE(mode(pipes + "/control"), 0U);
    EXPECT_NE(mode(pipes + "/nvidia-cuda-mps-control.pid"), 0U);
    EXPECT_FALSE(mps_on());
}

TEST_F(Daemon, AnswersCommands) {
    int status = -1;
    EXPECT_EQ(daemon_->command("get_default_active_thread_percentage", &status), "100.0\n");
    EXPECT_EQ(status, 0);
    EXPECT_EQ(daemon_->command("ps"), "Server not found\n");
    EXPECT_EQ(daemon_->command("get_server_status"), "A server PID is required\n");
    EXPECT_EQ(daemon_->command("help"), "Unknown command \"help\"\n");
    EXPECT_EQ(daemon_->command("get_default_device_pinned_mem_limit 0"), "");
}

TEST_F(Daemon, HasAServerOnceAClientCame) {
    EXPECT_EQ(server(), "");
    EXPECT_TRUE(mps_on());
    ASSERT_NE(server(), "");
    EXPECT_EQ(daemon_->command("ps"), "") << "its client has gone again";
    EXPECT_EQ(daemon_->command("get_server_status " + server()), "ACTIVE\n");
    EXPECT_EQ(daemon_->command("get_active_thread_percentage " + server()), "100.0\n");
    EXPECT_EQ(daemon_->command("get_client_list " + server()), "") << "it has gone again";
}

TEST_F(Daemon, DefaultsHoldForTheNextServerAlone) {
    EXPECT_EQ(daemon_->command("set_default_active_thread_percentage 50"), "50.0\n");
    EXPECT_EQ(daemon_->command("set_default_active_thread_percentage 0"), "50.0\n");
    EXPECT_EQ(daemon_->command("set_default_device_pinned_mem_limit 0 3G"), "");
    EXPECT_EQ(daemon_->command("get_default_device_pinned_mem_limit 0"), "3G\n");
    const Report first = in_child(daemon_->client(), inspect_context);
    EXPECT_LE(first["sms"] * 2, part().sms);
    EXPECT_LT(first["free_mib"], 3072);

    daemon_->command("set_default_active_thread_percentage 25");
    const Report second = in_child(daemon_->client(), inspect_device);
    EXPECT_EQ(second["sms"], first["sms"]) << "the server runs already";
}

TEST_F(Daemon, AClientCanOnlyNarrowTheDefault) {
    daemon_->command("set_default_active_thread_percentage 50");
    const auto sms = [&](const char* percentage) {
        return in_child(daemon_->client({{"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", percentage}}),
                        inspect_device)["sms"];
    };
    EXPECT_LE(sms("75") * 2, part().sms);
    EXPECT_LT(sms("25"), sms("75"));
}

TEST_F(Daemon, ListsClientsWithAContext) {
    HeldChild client(daemon_->client(), inspect_context);
    EXPECT_EQ(client.report()["retain"], CUDA_SUCCESS);
    const std::string pid = std::to_string(client.pid());
    EXPECT_NE(daemon_->command("get_client_list " + server()).find(pid), std::string::npos);
    const std::string listed = daemon_->command("ps");
    EXPECT_EQ(listed.substr(0, 3), "PID");
    EXPECT_NE(listed.find(pid), std::string::npos);
    EXPECT_NE(listed.find(part().uuid.substr(0, 22)), std::string::npos);
}

TEST_F(Daemon, HasRoomForSoManyContextsAndRefusesTheNextAtItsContext) {
    const int room = part().driver < 13010 ? 48 : 60;  // cuda 13.1 raised it
    std::vector<HeldChild> clients;
    clients.reserve(static_cast<std::size_t>(room) + 4);
    for (int i = 0; i < room + 4; ++i) clients.emplace_back(daemon_->client(), inspect_context);
    int got = 0;
    int refused = 0;
    std::size_t lucky = 0;
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const Report report = clients[i].report();
        EXPECT_EQ(report["init"], CUDA_SUCCESS) << "cuInit has room for everyone";
        EXPECT_EQ(report["sms"], part().sms);
        if (report["retain"] == CUDA_SUCCESS) {
            ++got;
            lucky = i;
        }
        refused += report["retain"] == CUDA_ERROR_MPS_MAX_CLIENTS_REACHED ? 1 : 0;
    }
    EXPECT_EQ(got, room);
    EXPECT_EQ(refused, 4);
    clients[lucky].release();
    EXPECT_EQ(in_child(daemon_->client(), inspect_context)["retain"], CUDA_SUCCESS)
        << "who leaves makes room";
}

}  // namespace
}  // namespace gpu
