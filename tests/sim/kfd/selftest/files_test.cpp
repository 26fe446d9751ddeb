// What a program sees of the simulated device files, through libsimkfd.so alone.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/kfd_ioctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <string>

namespace {

std::string link_of(int fd, const std::string& folder = "/proc/self/fd/") {
    std::array<char, 64> target{};
    const ssize_t size =
        readlink((folder + std::to_string(fd)).c_str(), target.data(), target.size());
    return size < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(size));
}

int version_of(int fd, kfd_ioctl_get_version_args& version) {
    return ioctl(fd, AMDKFD_IOC_GET_VERSION, &version);
}

TEST(Files, KfdIsRecognisedByItsLink) {
    const int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(link_of(fd), "/dev/kfd");
    EXPECT_EQ(link_of(fd, "/proc/" + std::to_string(getpid()) + "/fd/"), "/dev/kfd");
    const int copy = dup(fd);
    EXPECT_EQ(link_of(copy), "/dev/kfd");
    std::array<char, 4> little{};
    EXPECT_EQ(readlinkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd)).c_str(), little.data(),
                         little.size()),
              4);
    kfd_ioctl_get_version_args version{};
    EXPECT_EQ(version_of(copy, version), 0);
    EXPECT_EQ(version.major_version, 1U);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(Files, OtherDescriptorsAreLeftAlone) {
    const int fd = open("/dev/null", O_RDWR);
    EXPECT_EQ(link_of(fd), "/dev/null");
    kfd_ioctl_get_version_args version{};
    EXPECT_EQ(version_of(fd, version), -1);
    EXPECT_EQ(errno, ENOTTY);
}

TEST(Files, RenderNodesAreThoseOfTheGpus) {
    const int fd = open("/dev/dri/renderD129", O_RDWR);
    EXPECT_EQ(link_of(fd), "/dev/dri/renderD129");
    kfd_ioctl_get_version_args version{};
    EXPECT_EQ(version_of(fd, version), -1);
    EXPECT_EQ(open("/dev/dri/renderD130", O_RDWR), -1);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(access("/dev/dri/renderD130", F_OK), -1);
    EXPECT_EQ(access("/dev/kfd", R_OK | W_OK), 0);
    struct stat status {};
    EXPECT_EQ(stat("/dev/kfd", &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST(Files, TheTopologyHasBothItsNames) {
    for (const std::string root : {"/sys/class/kfd/kfd", "/sys/devices/virtual/kfd/kfd"}) {
        DIR* folder = opendir((root + "/topology/nodes").c_str());
        ASSERT_NE(folder, nullptr);
        int nodes = 0;
        while (const dirent* entry = readdir(folder)) nodes += entry->d_name[0] != '.' ? 1 : 0;
        closedir(folder);
        EXPECT_EQ(nodes, 3);
        std::string name;
        std::ifstream(root + "/topology/nodes/2/name") >> name;
        EXPECT_EQ(name, "sienna_cichlid");
    }
    EXPECT_NE(opendir("/sys/class"), nullptr);
    EXPECT_EQ(access("/sys/class/kfdx", F_OK), -1);
}

// amdkfd serves only the process that opened the descriptor.
TEST(Files, AChildsDescriptorIsItsOwn) {
    const int inherited = open("/dev/kfd", O_RDWR);
    const pid_t child = fork();
    if (child == 0) {
        kfd_ioctl_get_version_args version{};
        if (version_of(inherited, version) != -1 || errno != EBADF) _exit(1);
        if (link_of(inherited) != "/dev/kfd") _exit(2);
        const int own = open("/dev/kfd", O_RDWR);
        _exit(version_of(own, version) == 0 ? 0 : 3);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(Files, MappingsAreReal) {
    const int fd = open("/dev/kfd", O_RDWR);
    void* doorbells = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_NE(doorbells, MAP_FAILED);
}

}  // namespace
