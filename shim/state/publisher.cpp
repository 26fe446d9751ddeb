#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "shim/host/generation.h"
#include "shim/state/own_file.h"
#include "shim/state/records_file.h"
#include "shim/state/turn.h"

namespace ration::state {
namespace {

std::atomic<int> held_descriptor{-1};

class FilePublisher final : public Publisher {
  public:
    FilePublisher(std::string part, uid_t uid) : part_(std::move(part)), uid_(uid) {}
    ~FilePublisher() override;

    // Joins the records file; in a forked child by the descriptor that it has inherited.
    bool join(std::string& why);
    // Takes over what a parent's publisher had open.
    void inherit(const FilePublisher& parent);
    bool ours() const { return owner_ == host::generation(); }

    void publish(const Record& record) override;

  private:
    bool descriptor_good() const;
    bool reopen(std::string& why);
    bool claim(std::string& why);

    std::string part_;
    uid_t uid_;
    Turn::Word inside_{0};
    std::uint32_t owner_ = 0;  // the generation of the process that holds slot_
    int fd_ = -1;  // not a Descriptor: whoever closed it may have opened another of its number
    dev_t device_ = 0;
    ino_t inode_ = 0;
    unsigned slot_ = 0;
    std::uint64_t sequence_ = 0;
    std::int64_t started_ = 0;  // of this process's first record
    Identity self_;
};

std::atomic<FilePublisher*> current{nullptr};

FilePublisher::~FilePublisher() {
    FilePublisher* self = this;
    current.compare_exchange_strong(self, nullptr);
    // In a child that did not publish, the descriptor may serve a publisher that took it over.
    if (ours() && fd_ >= 0 && same_file(fd_, device_, inode_)) {
        held_descriptor.store(-1);
        close(fd_);
    }
}

void FilePublisher::inherit(const FilePublisher& parent) {
    if (parent.part_ != part_) return;
    fd_ = parent.fd_;
    device_ = parent.device_;
    inode_ = parent.inode_;
}

// The program may have closed our descriptor and opened another file in its place, and the file may
// have been removed (systemd's RemoveIPC= empties /dev/shm when a user logs out).
bool FilePublisher::descriptor_good() const {
    struct stat info;
    return fd_ >= 0 && fstat(fd_, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_ &&
           info.st_nlink > 0;
}

bool FilePublisher::reopen(std::string& why) {
    if (fd_ >= 0 && same_file(fd_, device_, inode_)) close(fd_);
    held_descriptor.store(-1);
    fd_ = open_records(part_, uid_, why).release();
    struct stat info;
    if (fd_ < 0 || fstat(fd_, &info) != 0) return false;
    device_ = info.st_dev;
    inode_ = info.st_ino;
    return true;
}

bool FilePublisher::claim(std::string& why) {
    const auto claimed = claim_slot(fd_, self_, why);
    if (!claimed) return false;
    slot_ = *claimed;
    sequence_ = 0;
    owner_ = host::generation();
    return true;
}

bool FilePublisher::join(std::string& why) {
    const bool again = ours();
    if (!again) {
        self_ = this_process();
        started_ = 0;
    }
    if (!descriptor_good() && !reopen(why)) return false;
    if (!(again && reclaim_slot(fd_, slot_, self_, sequence_)) && !claim(why)) return false;
    held_descriptor.store(fd_);
    return true;
}

void FilePublisher::publish(const Record& record) try {
    const Turn turn(inside_);
    std::string why;
    if ((!ours() || !descriptor_good()) && !join(why)) return;
    Record full = record;
    full.uid = uid_;
    if (started_ == 0) started_ = time(nullptr);
    if (full.started == 0) full.started = started_;
    if (write_copy(fd_, slot_, encode(full, self_, sequence_ + 1))) ++sequence_;
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
    FilePublisher* parent = current.load();
    if (parent != nullptr && parent->ours()) {
        why = "this process publishes a record already";
        return nullptr;
    }
    auto publisher = std::make_unique<FilePublisher>(directory.path, geteuid());
    if (parent != nullptr) publisher->inherit(*parent);
    if (!publisher->join(why)) return nullptr;
    current.store(publisher.get());
    return publisher;
} catch (...) {
    return nullptr;
}

}  // namespace ration::state
