#include "tests/sim/mps/registry.h"

#include <array>
#include <cstdio>

#include "tests/sim/mps/protocol.h"

namespace sim::mps {

std::string percentage_text(double percentage) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", percentage);
    return text.data();
}

std::string Registry::hello(int fd, Client client) {
    if (!server) server = defaults;
    clients[fd] = std::move(client);
    std::string reply = "ok " + percentage_text(server->percentage);
    for (const auto& [device, limit] : server->memory) reply += " " + device + "=" + limit;
    return reply;
}

std::string Registry::attach(int fd, const std::string& uuid) {
    if (contexts_on(uuid) >= kContextsPerDevice) return "full";
    const int id = next_id_++;
    clients[fd].contexts[id] = uuid;
    return "ok " + std::to_string(id);
}

std::string Registry::detach(int fd, int id) {
    clients[fd].contexts.erase(id);
    return "ok";
}

int Registry::find(pid_t pid) const {
    for (const auto& [fd, client] : clients) {
        if (client.pid == pid) return fd;
    }
    return -1;
}

std::size_t Registry::contexts_on(const std::string& uuid) const {
    std::size_t count = 0;
    for (const auto& [fd, client] : clients) {
        for (const auto& [id, device] : client.contexts) count += device == uuid ? 1 : 0;
    }
    return count;
}

}  // namespace sim::mps
