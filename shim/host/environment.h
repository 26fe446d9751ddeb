// Variables that the driver reads while it is initialised, and that the program does not get to
// see.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace ration::host {

struct Edit {
    std::string name;
    std::string value;
};
using Edits = std::vector<Edit>;

// Publishes a private environment for as long as threads are inside the driver's cuInit, and takes
// it back after the last of them.
//
// setenv(3) and unsetenv(3) may move the array under another thread's getenv(3). Here a complete
// second array is stored in `environ` with one store; no array or string that was ever published is
// freed or moved while the process lives. Afterwards a third array, again our own, takes the
// program's place: its former array may be moved by its own setenv at the same moment. What the
// program itself sets meanwhile survives, as far as can be without the lock that glibc keeps to
// itself.
//
// Never destroyed while its arrays may be in use, that is: never.
class Overlay {
  public:
    // `temporary` is visible between enter and leave; afterwards these variables are as they were,
    // down to the string, the order and duplicates. `lasting` stays.
    Overlay(const Edits& temporary, const Edits& lasting);
    Overlay(const Overlay&) = delete;
    Overlay& operator=(const Overlay&) = delete;

    // Any number of threads may be inside. No lock is held in between.
    void enter();
    void leave();

    // One thread's stay, however it ends.
    class Inside {
      public:
        explicit Inside(Overlay& overlay) : overlay_(overlay) { overlay_.enter(); }
        ~Inside() {
            try {
                overlay_.leave();
            } catch (...) {  // no memory: tidy() makes up for it
            }
        }
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;

      private:
        Overlay& overlay_;
    };

    // Some time after leave: a setenv that was under way then may have brought `temporary` back.
    void tidy();

    // For a forked child, in one thread: takes back what other threads of the parent, which do not
    // exist here, were inside of.
    void leave_in_child();

  private:
    using Array = std::vector<char*>;  // ends with a null pointer, as environ does

    struct Published {
        char** before_place;  // the program's array
        Array before;         // as we found it
        Array during;         // what the driver sees; the program may change it in place
        Array pristine;       // as we made it
        Array after;          // what the program gets back; empty: before_place, which is ours
    };

    bool is_ours(char** place) const;
    bool put_back_own(Array& entries) const;
    Published& publication_for(char** now);
    void take_back();
    void undo_in_copy();

    std::mutex mutex_;
    unsigned inside_ = 0;
    std::deque<std::string> temporary_;  // "NAME=value"; a deque: the text never moves
    std::deque<std::string> lasting_;
    std::deque<Published> published_;
    Published* current_ = nullptr;
};

}  // namespace ration::host
