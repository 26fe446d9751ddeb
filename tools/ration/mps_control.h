// nvidia-cuda-mps-control: the only program that the MPS control daemon listens to.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "shim/cuda/mps_pipe.h"
#include "tools/ration/output.h"

namespace ration::tool {

// Its path: on PATH, else in /usr/local/nvidia/bin or /usr/bin. Failure(kFailed) if there is none.
std::string control_program();

// Sends one command to the daemon of this pipe directory and returns the answer without the last
// newline. Failure(kFailed) if the daemon does not answer within the limit or says no.
std::string ask_daemon(const std::string& pipe_directory, const std::string& command,
                       std::chrono::milliseconds limit = std::chrono::seconds(10));

// Where a daemon was looked for and what was found, with the names that the manual page promises.
Json to_json(const cuda::MpsPipe& pipe);

struct MpsClient {
    int pid = 0;
    int server = 0;
    std::string device;  // as the daemon shows it: the beginning of a UUID
    std::string command;
};
std::vector<MpsClient> mps_clients(const std::string& pipe_directory);
std::vector<int> mps_servers(const std::string& pipe_directory);

// What the daemon allows each client that asks for nothing less.
struct MpsCeilings {
    double share = 0;         // percent; 0: not set
    unsigned memory_mib = 0;  // on each device; 0: not set
};
// Sets them on `devices` devices and reads them back; Failure(kFailed) if the daemon says
// otherwise.
void set_ceilings(const std::string& pipe_directory, const MpsCeilings& ceilings, unsigned devices);

}  // namespace ration::tool
