// What the daemon knows: its defaults, its one server, and the clients with their contexts.
#pragma once
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sim::mps {

struct Client {
    pid_t pid = 0;
    std::string name_space;  // inode number of its PID namespace
    std::string command;
    std::map<int, std::string> contexts;  // context id -> device UUID
};

// Defaults reach a server when it starts; changing them later changes no running server.
struct Ceilings {
    double percentage = 100;
    std::map<std::string, std::string> memory;  // device ordinal -> "3G"
};

class Registry {
  public:
    Ceilings defaults;
    std::optional<Ceilings> server;  // starts with the first client
    std::map<int, Client> clients;   // by descriptor

    // Each answers the reply of one request of protocol.h.
    std::string hello(int fd, Client client);
    std::string attach(int fd, const std::string& uuid);
    std::string detach(int fd, int id);
    void gone(int fd) { clients.erase(fd); }

    // The descriptor of the client with this process id, or -1.
    int find(pid_t pid) const;

  private:
    std::size_t contexts_on(const std::string& uuid) const;

    int next_id_ = 1;
};

// "25.0", as the daemon prints percentages.
std::string percentage_text(double percentage);

}  // namespace sim::mps
