// This process as a client of the MPS daemon.
#pragma once
#include <string>
#include <vector>

#include "tests/sim/driver/api.h"
#include "tests/sim/driver/share.h"

namespace sim {

class MpsClient {
  public:
    // Connects to the daemon. Nobody there is no error: connected() is then false and the
    // driver runs without MPS, silently.
    CUresult open();
    bool connected() const { return fd_ >= 0; }
    double percentage() const { return percentage_; }
    const std::vector<MemoryLimit>& limits() const { return limits_; }

    // A place for one more context on the device; CUDA_ERROR_MPS_MAX_CLIENTS_REACHED if there is
    // none.
    CUresult attach(const std::string& uuid, int& id);
    void detach(int id);
    // In a forked child: the connection stays the parent's.
    void abandon();

  private:
    bool ask(const std::string& request, std::string& reply);

    int fd_ = -1;
    double percentage_ = 100;
    std::vector<MemoryLimit> limits_;  // the daemon's ceilings; devices as the daemon counts them
};

}  // namespace sim
