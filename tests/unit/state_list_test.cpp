// What it costs to list records that somebody made to cost much. By itself: it stands in front of
// libc's pread.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cstring>
#include <vector>

#include "shim/state/layout.h"
#include "shim/state/listing.h"
#include "tests/unit/state_support.h"

namespace {
unsigned reads = 0;
}

extern "C" ssize_t pread(int fd, void* data, size_t size, off_t offset) {
    ++reads;
    return syscall(SYS_pread64, fd, data, size, offset);
}

namespace ration::state {
namespace {

// Every slot is claimed, and neither of its copies is right.
void write_torn_records(const std::string& file) {
    const FileHeader header = make_header();
    std::vector<char> bytes(kSlotsOffset + std::size_t{kSlotCount} * kSlotSize, 'x');
    std::memcpy(bytes.data(), &header, sizeof header);
    const Descriptor fd(open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    ASSERT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

class StateList : public testing::Test {
  protected:
    StateList() {
        const std::string root = folder_.path();
        const RuntimeDirectory::Kind kind = RuntimeDirectory::Kind::kOverride;
        directory_ = {kind, root + "/u" + std::to_string(geteuid()), root, ""};
        mkdir(directory_.path.c_str(), 0700);
        write_torn_records(file());
    }
    std::string file() const { return directory_.path + "/" + kFileName; }
    unsigned reads_of_listing() const {
        reads = 0;
        std::vector<std::string> notes;
        EXPECT_TRUE(list_in(Places{}, directory_, &notes).empty());
        EXPECT_EQ(notes.size(), 1U);
        return reads;
    }

    TempFolder folder_;
    RuntimeDirectory directory_;
};

TEST_F(StateList, ReadsATornRecordOfADeadProcessOnce) {
    EXPECT_LE(reads_of_listing(), kSlotCount + 2);
}

TEST_F(StateList, ReadsTheTornRecordsOfALivingProcessAFewTimesInAll) {
    Child owner([this](const Child::Side& side) {
        const int fd = open(file().c_str(), O_RDWR | O_CLOEXEC);
        struct flock all {};
        all.l_type = F_WRLCK;
        if (fcntl(fd, F_SETLK, &all) != 0) return 1;
        side.ready();
        side.wait();
        return 0;
    });
    ASSERT_TRUE(owner.await_ready());
    const unsigned count = reads_of_listing();
    EXPECT_GT(count, kSlotCount + 2) << "what is written at this moment is read again";
    EXPECT_LE(count, kSlotCount + 2 + 100);
}

}  // namespace
}  // namespace ration::state
