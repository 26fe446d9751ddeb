#include "shim/state/records_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <numeric>

#include "shim/state/directory.h"
#include "shim/state/file_making.h"
#include "shim/state/quiet_signals.h"

namespace ration::state {
namespace {

using host::Descriptor;

using Index = std::array<std::int64_t, kSlotCount>;

constexpr off_t offset_of(unsigned slot) {
    return static_cast<off_t>(kSlotsOffset) + static_cast<off_t>(slot) * kSlotSize;
}
constexpr off_t claimed_offset(unsigned slot) {
    return static_cast<off_t>(kIndexOffset) + static_cast<off_t>(slot) * 8;
}

bool read_all(int fd, void* data, std::size_t size, off_t offset) {
    return pread(fd, data, size, offset) == static_cast<ssize_t>(size);
}
// False with the reason in errno; what a full file system or a limit cut short is tried again for
// it.
bool write_all(int fd, const void* data, std::size_t size, off_t offset) {
    const QuietSignals guard;
    const char* rest = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t written = pwrite(fd, rest, size, offset);
        if (written <= 0) return false;
        rest += written;
        offset += written;
        size -= static_cast<std::size_t>(written);
    }
    return true;
}

struct flock first_byte(short type, off_t offset) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = offset;
    lock.l_len = 1;
    return lock;
}

// Errors other than "somebody holds it" (a file system without locks) are left in errno.
bool try_lock(int fd, unsigned slot) {
    auto lock = first_byte(F_WRLCK, offset_of(slot));
    return fcntl(fd, F_SETLK, &lock) == 0;
}
void unlock(int fd, unsigned slot) {
    auto lock = first_byte(F_UNLCK, offset_of(slot));
    fcntl(fd, F_SETLK, &lock);
}

bool write_empty_file(int fd) {
    const QuietSignals guard;
    const FileHeader header = make_header();
    return write_all(fd, &header, sizeof header, 0) && ftruncate(fd, kSlotsOffset) == 0;
}

std::string unfit(int fd, uid_t uid) {
    struct stat info;
    if (fstat(fd, &info) != 0) return "cannot be examined";
    if (!S_ISREG(info.st_mode)) return "is not a plain file: remove it";
    if (info.st_uid != uid) return "belongs to uid " + std::to_string(info.st_uid);
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "can be changed by others: chmod go-w it";
    FileHeader header{};
    if (!read_all(fd, &header, sizeof header, 0)) return "is not a records file: remove it";
    const FileHeader expected = make_header();
    std::string why = unreadable(header);
    if (why.empty() && std::memcmp(&header, &expected, sizeof header) != 0) {
        why = "a layout of another ration";
    }
    return why.empty() ? "" : "holds " + why + ": remove it";
}

// A plain file of ours that is no records file any more, such as one that somebody cut to nothing.
// One of another format is not: another ration may be using it.
bool spoilt(int fd, uid_t uid) {
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != uid) return false;
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return false;
    if (info.st_size < static_cast<off_t>(kSlotsOffset)) return true;
    FileHeader header{};
    return read_all(fd, &header, sizeof header, 0) &&
           std::memcmp(header.magic, make_header().magic, sizeof header.magic) != 0;
}

// Whoever still publishes in the spoilt file finds it removed and joins the new one.
void remove_spoilt(int part, int fd) {
    struct stat ours;
    struct stat named;
    if (fstat(fd, &ours) != 0 || fstatat(part, kFileName, &named, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (ours.st_dev == named.st_dev && ours.st_ino == named.st_ino) unlinkat(part, kFileName, 0);
}

// First without O_CREAT: most often the file is there.
Descriptor open_or_create(int part) {
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Descriptor file(openat(part, kFileName, flags));
    if (file || errno != ENOENT) return file;
    struct stat info;
    const bool open_to_all = fstat(part, &info) == 0 && (info.st_mode & S_IXOTH) != 0;
    if (!make_file(part, kFileName, open_to_all ? 0644 : 0600, write_empty_file)) return {};
    return Descriptor(openat(part, kFileName, flags));
}

std::int64_t nanoseconds_now() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// With the lock held: is the record in the slot nevertheless that of a living process?
bool owner_runs(int fd, unsigned slot, const Identity& self) {
    char bytes[kSlotSize];
    Found found;
    if (!read_all(fd, bytes, sizeof bytes, offset_of(slot))) return false;
    if (decode(bytes, sizeof bytes, found) != Content::kRecord) return false;
    return found.identity.pid != self.pid && runs(found.identity);
}

enum class Try { kTaken, kBusy, kChanged, kFailed };

// `seen` is what the index said when the slot was chosen: another value now means that somebody
// took the slot and let it go since, and has left a record younger than the others.
Try try_slot(int fd, unsigned slot, std::int64_t seen, const Identity& self) {
    if (!try_lock(fd, slot)) {
        return errno == EAGAIN || errno == EACCES ? Try::kBusy : Try::kFailed;
    }
    std::int64_t claimed = 0;
    Try result = Try::kFailed;
    if (!read_all(fd, &claimed, sizeof claimed, claimed_offset(slot))) {
        errno = EIO;
    } else if (claimed != seen) {
        result = Try::kChanged;
    } else if (claimed != 0 && owner_runs(fd, slot, self)) {
        result = Try::kBusy;
    } else {
        static constexpr char kEmpty[kSlotSize] = {};
        claimed = nanoseconds_now();
        // The whole page is written now, so that a full file system shows here and not later.
        if (write_all(fd, kEmpty, sizeof kEmpty, offset_of(slot)) &&
            write_all(fd, &claimed, sizeof claimed, claimed_offset(slot))) {
            return Try::kTaken;
        }
    }
    const int error = errno;
    unlock(fd, slot);
    errno = error;
    return result;
}

}  // namespace

Descriptor open_records(const std::string& part, uid_t uid, std::string& why) {
    const Descriptor directory = open_part(part, uid, why);
    if (!directory) return {};
    const std::string path = part + "/" + kFileName;
    Descriptor file = open_or_create(directory.get());
    if (file && spoilt(file.get(), uid)) {
        remove_spoilt(directory.get(), file.get());
        file = open_or_create(directory.get());
    }
    if (!file) {
        why = errno == ELOOP ? path + " is a symbolic link: remove it" : failure(path);
        return {};
    }
    if (const auto flaw = unfit(file.get(), uid); !flaw.empty()) {
        why = path + " " + flaw;
        return {};
    }
    file = move_high(std::move(file));
    if (!file) why = path + ": no file descriptor is free: raise ulimit -n";
    return file;
}

std::optional<unsigned> claim_slot(int fd, const Identity& self, const std::vector<unsigned>& held,
                                   std::string& why) {
    const auto index = std::make_unique<Index>();
    std::array<std::uint16_t, kSlotCount> order;
    // A heap, since the first is mostly free.
    const auto is_later = [&](std::uint16_t a, std::uint16_t b) {
        return (*index)[a] != (*index)[b] ? (*index)[a] > (*index)[b] : a > b;
    };
    constexpr int kRounds = 64;
    for (int round = 0; round < kRounds; ++round) {
        if (!read_all(fd, index->data(), sizeof(Index), kIndexOffset)) {
            why = "the records file is cut short: remove it";
            return std::nullopt;
        }
        std::iota(order.begin(), order.end(), std::uint16_t{0});
        std::make_heap(order.begin(), order.end(), is_later);
        bool changed = false;
        for (auto end = order.end(); end != order.begin(); --end) {
            std::pop_heap(order.begin(), end, is_later);
            const unsigned slot = *std::prev(end);
            if (std::count(held.begin(), held.end(), slot) != 0) continue;
            const Try result = try_slot(fd, slot, (*index)[slot], self);
            if (result == Try::kTaken) return slot;
            if (result == Try::kFailed) {
                why = failure("a place in the records file");
                return std::nullopt;
            }
            changed = result == Try::kChanged || changed;
        }
        if (!changed) break;
    }
    why = "all " + std::to_string(kSlotCount) + " places for records are taken by live processes";
    return std::nullopt;
}

bool reclaim_slot(int fd, unsigned slot, const Identity& self, std::uint64_t& sequence) {
    char bytes[kSlotSize];
    Found found;
    if (!try_lock(fd, slot)) return false;
    if (read_all(fd, bytes, sizeof bytes, offset_of(slot)) &&
        decode(bytes, sizeof bytes, found) == Content::kRecord && found.identity.pid == self.pid &&
        found.identity.start_ticks == self.start_ticks) {
        sequence = found.sequence;
        return true;
    }
    unlock(fd, slot);
    return false;
}

void release_slot(int fd, unsigned slot) { unlock(fd, slot); }

bool write_copy(int fd, unsigned slot, const Copy& copy) {
    const off_t half = (copy.sequence & 1) * (kSlotSize / 2);
    return write_all(fd, &copy, sizeof copy, offset_of(slot) + half);
}

bool locked_by_other(int fd, off_t offset) {
    auto lock = first_byte(F_WRLCK, offset);
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool same_file(int fd, dev_t device, ino_t inode) {
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

}  // namespace ration::state
