// Files, without iostream or filesystem.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ration::host {

struct File {
    std::string text;
    mode_t mode = 0;
    uid_t owner = 0;
    gid_t group = 0;
};

// At most `limit` bytes of a file, without mode, owner and group; a file of /proc has no size
// beforehand. nullopt and errno if it cannot be opened or read.
std::optional<File> read_file(const char* path, std::size_t limit);

// As above, of a regular file only: opening a FIFO would wait for a writer and reading a terminal
// for a user. errno is EISDIR for a folder and ENODEV for anything else that is not regular.
std::optional<File> read_regular_file(const char* path, std::size_t limit);

// What follows the last slash; the whole where there is none.
std::string_view base_name(std::string_view path);

}  // namespace ration::host
