// Look-ups in a loaded object's own tables, compared with the loader's.
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <gtest/gtest.h>

#include "shim/preload/elf_object.h"

namespace ration::objects {
namespace {

// None that the loader resolves by a function of its own (STT_GNU_IFUNC), nor a sanitizer's.
constexpr const char* kFunctions[] = {
    "a64l",       "basename", "btowc",   "catopen",       "chroot",        "clearenv",
    "confstr",    "div",      "drand48", "ecvt",          "ether_line",    "ffs",
    "fmtmsg",     "ftok",     "getdate", "getopt",        "gnu_dev_major", "hcreate",
    "imaxdiv",    "insque",   "jrand48", "key_setsecret", "l64a",          "labs",
    "lfind",      "mblen",    "mkfifo",  "nl_langinfo",   "personality",   "posix_fallocate",
    "quick_exit", "rand_r",   "regcomp", "seekdir",       "sigpause",      "tdelete",
    "ulimit",     "vhangup",  "wcswcs",  "xdr_void"};

TEST(ElfObject, FindsWhatTheLoaderFinds) {
    void* const libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
    const link_map* map = nullptr;
    ASSERT_NE(libc, nullptr);
    ASSERT_EQ(dlinfo(libc, RTLD_DI_LINKMAP, &map), 0);
    const ElfObject object(map->l_addr, map->l_ld);
    EXPECT_STREQ(object.soname(), LIBC_SO);
    for (const char* name : kFunctions) {
        void* const address = dlsym(libc, name);
        if (address == nullptr) continue;  // not in this libc
        EXPECT_EQ(object.function(name), address) << name;
    }
    for (const char* name : {"", "cuInit", "quick_exi", "quick_exitt", "no_such_function"}) {
        EXPECT_EQ(object.function(name), nullptr) << name;
    }
    EXPECT_EQ(object.function("environ"), nullptr) << "no function";
}

TEST(ElfObject, FindsNothingWhereThereIsNoTable) {
    const ElfObject none(0, nullptr);
    EXPECT_STREQ(none.soname(), "");
    EXPECT_EQ(none.function("quick_exit"), nullptr);
}

}  // namespace
}  // namespace ration::objects
