#include "tests/sim/mps/daemon.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <sstream>
#include <vector>

#include "tests/sim/mps/commands.h"
#include "tests/sim/mps/protocol.h"
#include "tests/sim/mps/registry.h"

namespace sim::mps {
namespace {

class Loop {
  public:
    explicit Loop(const PipeFiles& files) : files_(files) {}

    void run() {
        while (!quit_ && files_.still_there()) {
            std::vector<pollfd> polled = watched();
            constexpr int kLookMs = 200;  // how often the directory is looked at
            if (poll(polled.data(), polled.size(), kLookMs) <= 0) continue;
            for (const pollfd& each : polled) {
                if (each.revents != 0) ready(each.fd);
            }
        }
    }

  private:
    std::vector<pollfd> watched() const {
        std::vector<pollfd> polled{{files_.control(), POLLIN, 0}, {files_.privileged(), POLLIN, 0}};
        for (const int fd : connections_) polled.push_back({fd, POLLIN, 0});
        return polled;
    }

    void ready(int fd) {
        if (fd == files_.control() || fd == files_.privileged()) {
            const int connection = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection >= 0) connections_.insert(connection);
            return;
        }
        if (connections_.count(fd) == 0) return;  // dropped a moment ago
        std::string request;
        if (!receive_message(fd, request)) return drop(fd);
        // An empty packet would read as end of file, so a reply without text is a newline.
        const std::string reply = answer(fd, request);
        if (!send_message(fd, reply.empty() ? "\n" : reply)) drop(fd);
    }

    void drop(int fd) {
        close(fd);
        connections_.erase(fd);
        registry_.gone(fd);
    }

    std::string answer(int fd, const std::string& request) {
        std::istringstream words(request);
        std::string verb;
        words >> verb;
        if (verb == "hello") {
            Client client;
            words >> client.pid >> client.name_space >> client.command;
            return registry_.hello(fd, client);
        }
        if (verb == "attach") {
            std::string uuid;
            words >> uuid;
            return registry_.attach(fd, uuid);
        }
        if (verb == "detach") {
            int id = 0;
            words >> id;
            return registry_.detach(fd, id);
        }
        std::string line;
        std::getline(words, line);
        const Outcome outcome = run_command(registry_, line);
        quit_ = quit_ || outcome.quit;
        if (outcome.terminated >= 0) drop(outcome.terminated);
        return outcome.text;
    }

    const PipeFiles& files_;
    std::set<int> connections_;
    Registry registry_;
    bool quit_ = false;
};

}  // namespace

void serve(const PipeFiles& files) {
    Loop(files).run();
    if (files.still_there()) files.remove();
}

}  // namespace sim::mps
