#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "shim/amd/program_memory.h"

namespace ration::amd {
namespace {

// Two pages that can be read, and behind them one that cannot.
class ProgramMemoryTest : public testing::Test {
  protected:
    ProgramMemoryTest() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        pages_ = static_cast<char*>(
            mmap(nullptr, 3 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        EXPECT_NE(pages_, MAP_FAILED);
        end_ = pages_ + 2 * page_;
        forbid(end_);
    }
    ~ProgramMemoryTest() override { munmap(pages_, 3 * page_); }

    void forbid(char* page) { EXPECT_EQ(mprotect(page, page_, PROT_NONE), 0); }

    const std::size_t page_;
    char* pages_ = nullptr;
    char* end_ = nullptr;
};

TEST_F(ProgramMemoryTest, KnowsWhatCanBeRead) {
    EXPECT_TRUE(can_read(pages_, 2 * page_));
    EXPECT_TRUE(can_read(end_ - 1, 1));
    EXPECT_TRUE(can_read(end_ - 4, 4)) << "less than a word, at the end";
    EXPECT_TRUE(can_read(end_ - page_ - 1, 2)) << "of both";
    EXPECT_TRUE(can_read(nullptr, 0));
}

TEST_F(ProgramMemoryTest, KnowsWhatCannot) {
    EXPECT_FALSE(can_read(nullptr, 8));
    EXPECT_FALSE(can_read(reinterpret_cast<void*>(8), 8));
    EXPECT_FALSE(can_read(reinterpret_cast<void*>(UINTPTR_MAX - 15), 8)) << "the kernel's";
    EXPECT_FALSE(can_read(reinterpret_cast<void*>(UINTPTR_MAX - 7), 64)) << "beyond the last";
    EXPECT_FALSE(can_read(end_, 8));
    EXPECT_FALSE(can_read(end_ - 1, 2)) << "the second byte";
    EXPECT_FALSE(can_read(pages_, 2 * page_ + 1)) << "the last byte";
    forbid(pages_ + page_);
    EXPECT_FALSE(can_read(pages_ + page_ - 1, page_ + 2)) << "only the first byte";
    EXPECT_TRUE(can_read(pages_, page_));
}

// It asks by way of them.
TEST_F(ProgramMemoryTest, LeavesTheThreadsSignalsAlone) {
    sigset_t before{};
    sigset_t after{};
    pthread_sigmask(SIG_BLOCK, nullptr, &before);
    memset(pages_, 0x55, page_);
    EXPECT_TRUE(can_read(pages_, page_));
    EXPECT_FALSE(can_read(end_, 1));
    pthread_sigmask(SIG_BLOCK, nullptr, &after);
    EXPECT_EQ(memcmp(&before, &after, sizeof before), 0);
}

}  // namespace
}  // namespace ration::amd
