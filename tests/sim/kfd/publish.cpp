// Writes the topology where the interposed functions find it.
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/sim/kfd/topology.h"

namespace sim::kfd {
namespace {

namespace fs = std::filesystem;

// FNV-1a, 64 bits.
std::string digest(const Files& files) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const auto& [path, text] : files) {
        for (const char c : path + '\0' + text + '\0') {
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        }
    }
    std::array<char, 20> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
    return digits.data();
}

bool write_files(const Files& files, const fs::path& folder) {
    std::error_code error;
    for (const auto& [path, text] : files) {
        fs::create_directories((folder / path).parent_path(), error);
        if (path.ends_with('/')) continue;
        std::ofstream file(folder / path);
        file << text;
        if (!file.flush()) return false;
    }
    return true;
}

fs::path beside_library() {
    Dl_info own{};
    if (dladdr(reinterpret_cast<void*>(&beside_library), &own) == 0) return {};
    return fs::path(own.dli_fname).parent_path();
}

}  // namespace

std::string publish(const Files& files, const std::string& parent) {
    std::error_code error;
    const fs::path wanted = fs::path(parent) / "kfd-topology" / digest(files);
    if (fs::is_directory(wanted, error)) return wanted;
    fs::create_directories(wanted.parent_path(), error);
    std::string draft = wanted.string() + ".XXXXXX";
    if (mkdtemp(draft.data()) == nullptr) return "";
    if (write_files(files, draft)) {
        fs::permissions(draft,
                        fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                            fs::perms::others_read | fs::perms::others_exec,
                        error);
        fs::rename(draft, wanted, error);
    }
    // Not moved: another process was faster, or there is no room.
    fs::remove_all(draft, error);
    return fs::is_directory(wanted, error) ? wanted.string() : "";
}

const std::string& published_root() {
    static const std::string& root = *new std::string([] {
        const char* gpus = std::getenv("SIM_KFD_GPUS");
        const Files files = topology_files(parse_node(gpus != nullptr ? gpus : "mi210"));
        std::string folder = publish(files, beside_library());
        return folder.empty() ? publish(files, fs::temp_directory_path()) : folder;
    }());
    return root;
}

}  // namespace sim::kfd
