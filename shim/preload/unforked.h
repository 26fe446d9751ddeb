// Work that no fork(2) of another thread may fall into, because the child could not go on.
//
// glibc sets most of its locks free in a child, but not all of the loader's state (seen in 2.36):
// where the parent was inside dl_iterate_phdr(3) the child waits for ever for _dl_load_write_lock,
// in its next dlopen or C++ exception; where it was inside dlopen(3) the child's next dlopen ends
// the process ("Inconsistency detected by ld.so"). What we do in a program's thread must not do
// that to its children.
#pragma once

namespace ration::front {

// While this lives, a fork of another thread waits; this thread may nest it, and may fork. From the
// first one in a process on, fork(3) asks here by way of pthread_atfork(3). A child made by
// clone(2) itself may be born at any time, as it may be in the middle of malloc.
//
// Nobody waits longer than kPatience, neither a fork for this nor this for a fork: a thread may
// wait here for somebody who waits, in a constructor or a fork handler, for that very thread.
// Keeps errno. Signal handlers are to be held off, or one may leave by longjmp.
class Unforked {
  public:
    Unforked();
    ~Unforked();
    Unforked(const Unforked&) = delete;
    Unforked& operator=(const Unforked&) = delete;

    static constexpr int kPatience = 2;  // seconds
};

}  // namespace ration::front
