#include "tests/sim/kfd/devices.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sim::kfd {
namespace {

// Every simulated device of this process and of those it was forked from. Only grows, so it is read
// without a lock, in a forked child too.
struct Known {
    ino_t inode;
    DeviceFile file;
};
constexpr std::size_t kMaxKnown = 1024;
std::array<Known, kMaxKnown> g_known;
std::atomic<std::size_t> g_known_count{0};
std::atomic<dev_t> g_memory_files{0};  // all memory files are of one file system

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "simulated KFD: %s: %s\n", what, std::strerror(errno));
    std::abort();
}

// Out of the way of programs that close or count the first descriptors.
int move_up(int fd) {
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, 900);
    if (high < 0) return fd;
    close(fd);
    return high;
}

int make_file(const char* name, off_t bytes, DeviceFile file) {
    const int fd = move_up(memfd_create(name, MFD_CLOEXEC));
    struct stat status {};
    if (fd < 0 || ftruncate(fd, bytes) != 0 || fstat(fd, &status) != 0) give_up(name);
    const std::size_t place = g_known_count.load();
    if (place == kMaxKnown) give_up("too many device files");
    g_known[place] = {status.st_ino, file};
    g_memory_files.store(status.st_dev);
    g_known_count.store(place + 1, std::memory_order_release);
    return fd;
}

int duplicate(int fd, int flags) {
    return fcntl(fd, (flags & O_CLOEXEC) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

}  // namespace

bool device_of(int fd, DeviceFile& file) {
    const std::size_t count = g_known_count.load(std::memory_order_acquire);
    struct stat status {};
    if (count == 0 || fstat(fd, &status) != 0 || status.st_dev != g_memory_files.load()) {
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (g_known[i].inode != status.st_ino) continue;
        file = g_known[i].file;
        return true;
    }
    return false;
}

Devices::Devices(std::size_t gpus) {
    constexpr off_t kKfdBytes = off_t{32} << 20;
    constexpr off_t kRenderBytes = off_t{1} << 42;  // sparse; offsets are never used twice
    const int owner = getpid();
    kfd_ = make_file("simulated-kfd", kKfdBytes, {true, 0, owner});
    for (unsigned gpu = 0; gpu < gpus; ++gpu) {
        render_.push_back(make_file("simulated-render", kRenderBytes, {false, gpu, owner}));
    }
    void* doorbells = mmap(nullptr, kDoorbellsBytes, PROT_READ | PROT_WRITE, MAP_SHARED, kfd_, 0);
    if (doorbells == MAP_FAILED) give_up("doorbells");
    doorbells_ = static_cast<std::uint64_t*>(doorbells);
}

int Devices::open_kfd(int flags) const { return duplicate(kfd_, flags); }

int Devices::open_render(unsigned gpu, int flags) const { return duplicate(render_[gpu], flags); }

void* Devices::map(unsigned gpu, std::uint64_t offset, std::uint64_t bytes) const {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                        render_[gpu], static_cast<off_t>(offset));
    return memory == MAP_FAILED ? nullptr : memory;
}

void Devices::unmap(unsigned gpu, std::uint64_t offset, void* memory, std::uint64_t bytes) const {
    munmap(memory, bytes);
    [[maybe_unused]] const int punched =
        fallocate(render_[gpu], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

}  // namespace sim::kfd
