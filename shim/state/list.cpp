#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "shim/state/directory.h"
#include "shim/state/listing.h"
#include "shim/state/own_file.h"
#include "shim/state/records_file.h"

namespace ration::state {
namespace {

using host::Descriptor;

// A records file opened for reading, or the descriptor by which this process writes it.
struct Opened {
    Descriptor file;
    int fd = -1;
};

Opened open_to_read(int part) {
    struct stat info;
    const int own = own_records_descriptor();
    if (own >= 0 && fstatat(part, kFileName, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        same_file(own, info.st_dev, info.st_ino)) {
        return {Descriptor(), own};
    }
    Opened opened;
    // O_NONBLOCK: a named pipe in its place must not make us wait.
    opened.file = Descriptor(
        openat(part, kFileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    opened.fd = opened.file.get();
    return opened;
}

constexpr int kRetries = 100;

class Reader {
  public:
    Reader(std::vector<Listed>& listed, std::vector<std::string>* notes)
        : listed_(listed), notes_(notes) {}

    void part(const std::string& path, uid_t uid);

  private:
    void note(const std::string& line) {
        if (notes_ != nullptr) notes_->push_back(line);
    }
    void other_formats(int part, const std::string& path);
    void file(int fd, const std::string& path, uid_t uid);
    void slot(int fd, off_t offset, std::size_t size, uid_t uid);

    std::vector<Listed>& listed_;
    std::vector<std::string>* notes_;
    int retries_ = 0;  // that are left for a file: its owner may tear every slot on purpose
    bool torn_ = false;
    bool unknown_ = false;
};

void Reader::part(const std::string& path, uid_t uid) {
    std::string why;
    const Descriptor directory = open_part(path, uid, why);
    if (!directory) return;
    const Opened opened = open_to_read(directory.get());
    if (opened.fd >= 0) {
        file(opened.fd, path + "/" + kFileName, uid);
    } else if (errno != ENOENT) {
        note(failure(path + "/" + kFileName));
    }
    other_formats(directory.get(), path);
}

void Reader::other_formats(int part, const std::string& path) {
    Descriptor copy(openat(part, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* entries = copy ? fdopendir(copy.get()) : nullptr;
    if (entries == nullptr) return;
    copy.release();
    while (const dirent* entry = readdir(entries)) {
        const std::string_view name = entry->d_name;
        if (name.starts_with(kFilePrefix) && name != kFileName) {
            note(path + "/" + printable(name) + " is of another ration's format: not listed");
            break;  // whoever made a thousand of them has said enough
        }
    }
    closedir(entries);
}

void Reader::file(int fd, const std::string& path, uid_t uid) {
    struct stat info;
    FileHeader header{};
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != uid ||
        pread(fd, &header, sizeof header, 0) != sizeof header) {
        return note(path + " is not a records file of uid " + std::to_string(uid) + ": not listed");
    }
    if (const auto why = unreadable(header); !why.empty()) return note(path + " holds " + why);
    const auto index = std::make_unique<std::int64_t[]>(header.slot_count);
    const std::size_t size = header.slot_count * sizeof(std::int64_t);
    if (pread(fd, index.get(), size, header.index_offset) != static_cast<ssize_t>(size)) {
        return note(path + " is cut short");
    }
    torn_ = unknown_ = false;
    retries_ = kRetries;
    for (std::uint32_t i = 0; i < header.slot_count; ++i) {
        if (index[i] == 0) continue;
        slot(fd, static_cast<off_t>(header.slots_offset) + static_cast<off_t>(i) * header.slot_size,
             header.slot_size, uid);
    }
    if (torn_) note(path + " holds damaged records");
    if (unknown_) note(path + " holds records of a newer ration");
}

void Reader::slot(int fd, off_t offset, std::size_t size, uid_t uid) {
    const auto bytes = std::make_unique<char[]>(size);
    Found found;
    Content content = Content::kTorn;
    // Both copies are torn only if a living writer published twice while we were reading.
    bool once_more = true;
    while (content == Content::kTorn && once_more) {
        if (pread(fd, bytes.get(), size, offset) != static_cast<ssize_t>(size)) return;
        content = decode(bytes.get(), size, found);
        once_more = retries_ > 0 && locked_by_other(fd, offset);
        if (once_more) --retries_;
    }
    torn_ = torn_ || content == Content::kTorn;
    unknown_ = unknown_ || content == Content::kUnknown;
    if (content != Content::kRecord) return;
    found.record.uid = uid;  // what the file says of its owner is the owner's word
    const bool live = locked_by_other(fd, offset) || runs(found.identity);
    listed_.push_back({std::move(found.record), live});
}

// The uid in a name like u1000, if it is written as we write it.
bool uid_in(std::string_view name, std::string_view prefix, uid_t& uid) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
    return error == std::errc() && end == name.data() + name.size() && std::to_string(uid) == name;
}

void read_parts(Reader& reader, const std::string& root, const char* prefix) {
    DIR* entries = opendir(root.c_str());
    if (entries == nullptr) return;
    while (const dirent* entry = readdir(entries)) {
        uid_t uid = 0;
        if (uid_in(entry->d_name, prefix, uid)) reader.part(root + "/" + entry->d_name, uid);
    }
    closedir(entries);
}

}  // namespace

std::vector<Listed> list_in(const Places& places, const RuntimeDirectory& directory,
                            std::vector<std::string>* notes) {
    using Kind = RuntimeDirectory::Kind;
    std::vector<Listed> listed;
    Reader reader(listed, notes);
    if (directory.kind == Kind::kSystem || directory.kind == Kind::kOverride) {
        read_parts(reader, directory.root, kPartPrefix);
    }
    // Also when /run/ration is in use: a container that could not write there has used this one.
    if (directory.kind != Kind::kOverride) {
        read_parts(reader, places.user_parent, kUserPrefix);
    }
    std::stable_sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) {
        return a.record.started < b.record.started;
    });
    return listed;
}

std::vector<Listed> list(const RuntimeDirectory& directory, std::vector<std::string>* notes) try {
    return list_in(Places{}, directory, notes);
} catch (...) {
    return {};
}

}  // namespace ration::state
