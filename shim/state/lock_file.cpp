#include "shim/state/lock_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "shim/host/generation.h"
#include "shim/state/directory.h"
#include "shim/state/file_making.h"
#include "shim/state/layout.h"

namespace ration::state {

using host::Descriptor;

// The lock files that this process has open. A child forked by another thread finds the list whole
// at any time: each change of it is one store.
class OpenLockFiles {
  public:
    static Turn::Word turn;

    static LockFile* find(dev_t device, ino_t inode) {
        for (LockFile* file = first_; file != nullptr; file = file->next_) {
            if (file->fd_ >= 0 && file->device_ == device && file->inode_ == inode) return file;
        }
        return nullptr;
    }
    static void add(LockFile* file) {
        file->next_ = first_;
        first_ = file;
    }
    static void remove(const LockFile* file) {
        LockFile** link = &first_;
        while (*link != nullptr && *link != file) link = &(*link)->next_;
        if (*link != nullptr) *link = file->next_;
    }
    static bool is_own(const LockFile* file) { return file->generation_ == host::generation(); }
    // The descriptor that a forked child has of its parent's file: were there a second one, closing
    // either would drop its locks. -1 if the program has closed it.
    static int inherit(LockFile* file) {
        const bool there = file->good();
        const int fd = std::exchange(file->fd_, -1);
        return there ? fd : -1;
    }
    static int descriptor(const LockFile* file) { return file->fd_; }

  private:
    static LockFile* first_;
};
Turn::Word OpenLockFiles::turn{0};
LockFile* OpenLockFiles::first_ = nullptr;

namespace {

constexpr std::size_t kLongestDevice = 80;

bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == ':' || c == '.' || c == '/';
}

bool nothing_to_fill(int) { return true; }

// First without O_CREAT: most often the file is there.
Descriptor open_or_make(const std::string& path) {
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Descriptor file(open(path.c_str(), flags));
    if (file || errno != ENOENT) return file;
    const std::size_t slash = path.rfind('/');
    const std::string folder = path.substr(0, slash);
    const Descriptor directory(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory || !make_file(directory.get(), path.c_str() + slash + 1, 0666, nothing_to_fill))
        return {};
    return Descriptor(open(path.c_str(), flags));
}

std::string open_failure(const std::string& path) {
    struct stat info;
    if (errno == ELOOP) return path + " is a symbolic link: remove it";
    if (errno == EACCES && lstat(path.c_str(), &info) == 0) {
        return path + " may not be written: have uid " + std::to_string(info.st_uid) +
               " or root chmod 666 it";
    }
    return failure(path);
}

}  // namespace

std::string lock_path(const LockPlace& place, std::string_view kind, std::string_view device) {
    if (place.directory.empty() || device.empty() || device.size() > kLongestDevice ||
        !std::all_of(device.begin(), device.end(), letter)) {
        return "";
    }
    std::string path = place.directory + "/" + place.prefix;
    const std::size_t folder = path.size();
    path.append(kind).append("-").append(device);
    std::replace(path.begin() + static_cast<std::ptrdiff_t>(folder), path.end(), '/', '+');
    return path;
}

std::unique_ptr<LockFile> LockFile::open(const LockPlace& place, std::string_view kind,
                                         std::string_view device, std::string& why) {
    const std::string path = lock_path(place, kind, device);
    if (path.empty()) {
        why = place.directory.empty() ? place.why
                                      : "\"" + printable(device) + "\" is no device's UUID";
        return nullptr;
    }
    std::unique_ptr<LockFile> file(new LockFile(path));
    const Turn turn(OpenLockFiles::turn);
    if (!file->join(why)) return nullptr;
    OpenLockFiles::add(file.get());
    return file;
}

LockFile::~LockFile() {
    const Turn turn(OpenLockFiles::turn);
    OpenLockFiles::remove(this);
    leave();
}

void LockFile::leave() {
    struct stat info;
    const bool ours =
        fd_ >= 0 && fstat(fd_, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
    if (ours) close(fd_);
    fd_ = -1;
}

void LockFile::keep_in_child() {
    const Turn turn(OpenLockFiles::turn);
    generation_ = host::generation();
}

bool LockFile::good() const {
    struct stat open;
    struct stat named;
    return fd_ >= 0 && fstat(fd_, &open) == 0 && open.st_dev == device_ && open.st_ino == inode_ &&
           lstat(path_.c_str(), &named) == 0 && named.st_dev == device_ && named.st_ino == inode_;
}

bool LockFile::repair(std::string& why) {
    const Turn turn(OpenLockFiles::turn);
    leave();
    return join(why);
}

bool LockFile::join(std::string& why) {
    struct stat info;
    if (lstat(path_.c_str(), &info) == 0) {
        if (LockFile* const former = OpenLockFiles::find(info.st_dev, info.st_ino)) {
            if (OpenLockFiles::is_own(former)) {
                why = path_ + " is open in this process already";
                return false;
            }
            const int inherited = OpenLockFiles::inherit(former);
            if (inherited >= 0) return adopt(Descriptor(inherited), why);
        }
    }
    Descriptor file = open_or_make(path_);
    if (!file) {
        why = open_failure(path_);
        return false;
    }
    file = move_high(std::move(file));
    if (file) return adopt(std::move(file), why);
    why = path_ + ": no file descriptor is free: raise ulimit -n";
    return false;
}

bool LockFile::adopt(Descriptor file, std::string& why) {
    struct stat info;
    if (fstat(file.get(), &info) != 0) {
        why = failure(path_);
        return false;
    }
    if (!S_ISREG(info.st_mode) || info.st_nlink > 1) {
        // By another name this process may have it open already.
        why = path_ + (info.st_nlink > 1 ? " has several names" : " is not a plain file") +
              ": remove it";
        return false;
    }
    device_ = info.st_dev;
    inode_ = info.st_ino;
    generation_ = host::generation();
    fd_ = file.release();
    return true;
}

LockFileReader::LockFileReader(const std::string& path) : turn_(OpenLockFiles::turn) {
    struct stat info;
    if (lstat(path.c_str(), &info) == 0) {
        const LockFile* const own = OpenLockFiles::find(info.st_dev, info.st_ino);
        if (own != nullptr) {
            fd_ = OpenLockFiles::descriptor(own);
            return;
        }
    }
    opened_ =
        Descriptor(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    error_ = errno;
    fd_ = opened_.get();
}

LockFileReader::~LockFileReader() = default;

}  // namespace ration::state
