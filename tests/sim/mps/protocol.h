// What the simulated libcuda.so.1 and nvidia-cuda-mps-control say to each other: one text message
// per SOCK_SEQPACKET packet, a request and its reply. Our own; only the socket's kind, place and
// name are those of the real daemon.
//
// A client has come; LIMIT is like "0=3G":
//   hello PID NAMESPACE COMMAND  ->  ok PERCENTAGE [LIMIT...]
// A context wants a place on a device, and gives it back:
//   attach UUID                  ->  ok ID, or full
//   detach ID                    ->  ok
// Somebody asks the control program:
//   command TEXT                 ->  what nvidia-cuda-mps-control prints for TEXT
#pragma once
#include <cstddef>
#include <string>

namespace sim::mps {

constexpr std::size_t kMessageMax = 60000;
// Client contexts per device; 60 from CUDA 13.1 on.
constexpr std::size_t kContextsPerDevice = 48;

// $CUDA_MPS_PIPE_DIRECTORY, else /tmp/nvidia-mps.
std::string pipe_directory();
// A connected descriptor, close-on-exec, or -1 with errno if nobody listens there.
int connect_control(const std::string& directory);
bool send_message(int fd, const std::string& text);
// False at end of file or after the socket's own time limit.
bool receive_message(int fd, std::string& text);

}  // namespace sim::mps
