#include "tests/sim/driver/mps_client.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "tests/sim/mps/protocol.h"

namespace sim {
namespace {

std::string hello() {
    struct stat space {};
    stat("/proc/self/ns/pid", &space);
    return "hello " + std::to_string(getpid()) + " " + std::to_string(space.st_ino) + " " +
           program_invocation_name;
}

}  // namespace

CUresult MpsClient::open() {
    fd_ = mps::connect_control(mps::pipe_directory());
    if (fd_ < 0) return CUDA_SUCCESS;
    std::string reply;
    std::string word;
    std::istringstream words(ask(hello(), reply) ? reply : "");
    if (!(words >> word >> percentage_) || word != "ok") {
        abandon();
        return CUDA_ERROR_MPS_CONNECTION_FAILED;
    }
    while (words >> word) {
        for (MemoryLimit& limit : parse_memory_limits(word)) limits_.push_back(std::move(limit));
    }
    return CUDA_SUCCESS;
}

CUresult MpsClient::attach(const std::string& uuid, int& id) {
    std::string reply;
    if (!ask("attach " + uuid, reply)) return CUDA_ERROR_MPS_CONNECTION_FAILED;
    if (reply == "full") return CUDA_ERROR_MPS_MAX_CLIENTS_REACHED;
    id = std::atoi(reply.c_str() + 3);
    return CUDA_SUCCESS;
}

void MpsClient::detach(int id) {
    std::string reply;
    ask("detach " + std::to_string(id), reply);
}

void MpsClient::abandon() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
}

bool MpsClient::ask(const std::string& request, std::string& reply) {
    return mps::send_message(fd_, request) && mps::receive_message(fd_, reply);
}

}  // namespace sim
