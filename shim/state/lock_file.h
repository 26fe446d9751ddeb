// A file that all users of the node open for its locks (locks.h); its content is never read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shim/host/descriptor.h"
#include "shim/state/turn.h"

namespace ration::state {

// Where the lock files are. Nowhere, and `why`, if `directory` is empty.
struct LockPlace {
    std::string directory;
    std::string prefix;  // of a file's name
    std::string why;
};

// The first of these, which everyone on the node must choose alike, since locks in two places do
// not exclude each other:
//   RATION_RUNTIME_DIR (`override_path`), if set and not empty:    <it>/lock-...
//   /run/ration, if root made it (config/ration.tmpfiles.conf):    /run/ration/lock-...
//   else                                                           /dev/shm/ration-lock-...
// Where that cannot be used, no other is tried. `create` makes the first one's last component.
LockPlace lock_place(const std::optional<std::string>& override_path, bool create);

// "<directory>/<prefix><kind>-<device>"; "" if `device`, a UUID or a PCI address, is none.
std::string lock_path(const LockPlace& place, std::string_view kind, std::string_view device);

// The one descriptor that this process has of such a file: closing any drops all of its locks.
class LockFile {
  public:
    // Opens the file, making it if missing, for reading and writing. Null and a reason (one line,
    // without "ration: ") if that cannot be done or this process has it open already.
    static std::unique_ptr<LockFile> open(const LockPlace& place, std::string_view kind,
                                          std::string_view device, std::string& why);
    ~LockFile();
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;

    // One thread at a time; whoever calls what follows is inside.
    Turn::Word& turn() { return turn_; }

    int fd() const { return fd_; }
    const std::string& path() const { return path_; }

    // Said by a forked child that goes on with its parent's object: else another one that it makes
    // takes the descriptor over.
    void keep_in_child();

    // Whether the descriptor is still ours (the program may have closed it, and opened another file
    // in its place) and leads to the file of that name. Where not, no lock is held any more that
    // others would see, and `repair` opens the file anew.
    bool good() const;
    bool repair(std::string& why);

  private:
    explicit LockFile(std::string path) : path_(std::move(path)) {}
    bool join(std::string& why);
    bool adopt(host::Descriptor file, std::string& why);
    void leave();

    const std::string path_;
    int fd_ = -1;  // not a Descriptor: whoever closed it may have opened another of its number
    dev_t device_ = 0;
    ino_t inode_ = 0;
    std::uint32_t generation_ = 0;  // of the process that opened it
    Turn::Word turn_{0};
    LockFile* next_ = nullptr;  // in the list of this process's files

    friend class OpenLockFiles;
};

// The same file for whoever only asks who holds what: this process's own descriptor, or one that is
// closed again. Lives shortly: while it does, no LockFile of this process comes or goes.
class LockFileReader {
  public:
    explicit LockFileReader(const std::string& path);
    ~LockFileReader();
    LockFileReader(const LockFileReader&) = delete;
    LockFileReader& operator=(const LockFileReader&) = delete;
    int fd() const { return fd_; }  // -1 and errno if it cannot be read
    int error() const { return error_; }

  private:
    Turn turn_;
    host::Descriptor opened_;
    int fd_ = -1;
    int error_ = 0;
};

}  // namespace ration::state
