#include <errno.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "shim/amd/program_memory.h"

namespace ration::amd {
namespace {

// A page that can be read, and behind it one that cannot.
class ProgramMemoryTest : public testing::Test {
  protected:
    ProgramMemoryTest() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        void* const pages =
            mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(pages, MAP_FAILED);
        end_ = static_cast<char*>(pages) + page_;
        EXPECT_EQ(mprotect(end_, page_, PROT_NONE), 0);
    }
    ~ProgramMemoryTest() override { munmap(end_ - page_, 2 * page_); }

    void SetUp() override {
        if (process_vm_readv(getpid(), nullptr, 0, nullptr, 0, 0) < 0) {
            GTEST_SKIP() << "no process_vm_readv: " << strerror(errno);
        }
    }

    const std::size_t page_;
    char* end_ = nullptr;
};

TEST_F(ProgramMemoryTest, CopiesWhatCanBeRead) {
    memcpy(end_ - 5, "words", 5);
    char copy[5] = "";
    ASSERT_TRUE(copy_from_program(copy, end_ - 5, 5));
    EXPECT_EQ(std::string(copy, 5), "words");
    EXPECT_TRUE(can_read(end_ - page_, page_));
    EXPECT_TRUE(can_read(nullptr, 0));
}

TEST_F(ProgramMemoryTest, KnowsWhatCannot) {
    char copy[8] = "";
    EXPECT_FALSE(copy_from_program(copy, nullptr, 8));
    EXPECT_FALSE(copy_from_program(copy, reinterpret_cast<void*>(8), 8));
    EXPECT_FALSE(copy_from_program(copy, end_, 8));
    EXPECT_FALSE(copy_from_program(copy, end_ - 4, 8)) << "the second half";
    EXPECT_FALSE(can_read(end_ - page_, page_ + 1));
    EXPECT_FALSE(can_read(end_ - 300, 600));
}

}  // namespace
}  // namespace ration::amd
