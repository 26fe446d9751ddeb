#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "shim/host/generation.h"
#include "shim/state/own_file.h"
#include "shim/state/records_file.h"
#include "shim/state/turn.h"

namespace ration::state {
namespace {

std::atomic<int> held_descriptor{-1};

class FilePublisher;

// This process's records file, which all of its publishers write to: a second descriptor of it
// would drop the locks of the first when it is closed. Guarded by `turn`, as the publishers are.
struct OwnFile {
    static constexpr unsigned kMost = 2;  // publishers of a process: one for each vendor

    struct Place {
        const FilePublisher* holder = nullptr;
        unsigned slot = 0;
    };

    Turn::Word turn{0};
    const std::string* part = nullptr;  // where the file is; not destroyed when the process ends
    int fd = -1;  // not a Descriptor: whoever closed it may have opened another of its number
    dev_t device = 0;
    ino_t inode = 0;
    unsigned opened = 0;           // so many times: locks do not outlive a descriptor
    std::uint32_t generation = 0;  // of the process that holds the places
    std::array<Place, kMost> places;

    // The program may have closed our descriptor and opened another file in its place, and the file
    // may have been removed (systemd's RemoveIPC= empties /dev/shm when a user logs out).
    bool good() const {
        struct stat info;
        return fd >= 0 && fstat(fd, &info) == 0 && info.st_dev == device && info.st_ino == inode &&
               info.st_nlink > 0;
    }
    bool is_in(const std::string& directory) const { return part != nullptr && *part == directory; }
    bool reopen(const std::string& directory, uid_t uid, const Identity& self, std::string& why);
    void close_file();

    // A forked child holds none of its parent's places.
    void forget_parents() {
        if (generation == host::generation()) return;
        places = {};
        generation = host::generation();
    }
    Place* place_of(const FilePublisher* holder) {
        for (Place& place : places) {
            if (place.holder == holder) return &place;
        }
        return nullptr;
    }
    bool in_use() const {
        return std::any_of(places.begin(), places.end(),
                           [](const Place& place) { return place.holder != nullptr; });
    }
    std::vector<unsigned> slots() const {
        std::vector<unsigned> held;
        for (const Place& place : places) {
            if (place.holder != nullptr) held.push_back(place.slot);
        }
        return held;
    }
};
OwnFile own;

void OwnFile::close_file() {
    if (fd >= 0 && same_file(fd, device, inode)) close(fd);
    fd = -1;
    held_descriptor.store(-1);
}

// With the descriptor all locks went. Those of the other publishers are taken again, where the file
// is still the one that has their records.
bool OwnFile::reopen(const std::string& directory, uid_t uid, const Identity& self,
                     std::string& why) {
    close_file();
    ++opened;
    delete std::exchange(part, new std::string(directory));
    fd = open_records(directory, uid, why).release();
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) return false;
    device = info.st_dev;
    inode = info.st_ino;
    held_descriptor.store(fd);
    for (Place& place : places) {
        std::uint64_t sequence = 0;
        const bool lost = place.holder != nullptr && !reclaim_slot(fd, place.slot, self, sequence);
        if (lost) place = {};
    }
    return true;
}

class FilePublisher final : public Publisher {
  public:
    FilePublisher(std::string part, uid_t uid) : part_(std::move(part)), uid_(uid) {}
    ~FilePublisher() override;

    // Joins the records file; in a forked child by the descriptor that it has inherited.
    bool join(std::string& why);

    void publish(const Record& record) override;

  private:
    bool ours() const { return owner_ == host::generation(); }
    bool joined() const { return ours() && opened_ == own.opened && own.good(); }
    bool claim(std::string& why);

    const std::string part_;
    const uid_t uid_;
    std::uint32_t owner_ = 0;  // the generation of the process that holds slot_
    unsigned opened_ = 0;      // OwnFile::opened, as it was when slot_ was locked
    unsigned slot_ = 0;
    std::uint64_t sequence_ = 0;
    std::int64_t started_ = 0;  // of this process's first record
    Identity self_;
};

// What a parent's publisher held is not this process's to let go.
FilePublisher::~FilePublisher() {
    const Turn turn(own.turn);
    if (!ours()) return;
    OwnFile::Place* const place = own.place_of(this);
    if (place == nullptr) return;
    if (own.good()) release_slot(own.fd, place->slot);
    *place = {};
    if (!own.in_use()) own.close_file();
}

bool FilePublisher::claim(std::string& why) {
    if (OwnFile::Place* const former = own.place_of(this)) *former = {};
    OwnFile::Place* const place = own.place_of(nullptr);
    if (place == nullptr) {
        why = "this process has as many records already as there are vendors";
        return false;
    }
    const auto claimed = claim_slot(own.fd, self_, own.slots(), why);
    if (!claimed) return false;
    *place = {this, *claimed};
    slot_ = *claimed;
    sequence_ = 0;
    owner_ = host::generation();
    return true;
}

// The file of the process's first publisher serves the second one too.
bool FilePublisher::join(std::string& why) {
    own.forget_parents();
    if (!ours()) {
        self_ = this_process();
        started_ = 0;
    }
    const bool fits = own.is_in(part_) || own.in_use();
    if (!(fits && own.good()) && !own.reopen(part_, uid_, self_, why)) return false;
    const bool still_there =
        ours() && own.place_of(this) != nullptr && reclaim_slot(own.fd, slot_, self_, sequence_);
    if (!still_there && !claim(why)) return false;
    opened_ = own.opened;
    return true;
}

void FilePublisher::publish(const Record& record) try {
    const Turn turn(own.turn);
    std::string why;
    if (!joined() && !join(why)) return;
    Record full = record;
    full.uid = uid_;
    if (started_ == 0) started_ = time(nullptr);
    if (full.started == 0) full.started = started_;
    if (write_copy(own.fd, slot_, encode(full, self_, sequence_ + 1))) ++sequence_;
} catch (...) {
}

}  // namespace

int own_records_descriptor() { return held_descriptor.load(); }

std::unique_ptr<Publisher> Publisher::open(const RuntimeDirectory& directory,
                                           std::string& why) try {
    if (directory.kind == RuntimeDirectory::Kind::kNone) {
        why = directory.why;
        return nullptr;
    }
    auto publisher = std::make_unique<FilePublisher>(directory.path, geteuid());
    const bool joined = [&] {
        const Turn turn(own.turn);
        return publisher->join(why);
    }();
    if (!joined) return nullptr;
    return publisher;
} catch (...) {
    return nullptr;
}

}  // namespace ration::state
