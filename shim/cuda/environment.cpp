#include "shim/cuda/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace ration::cuda {
namespace {

// glibc's getenv reads `environ` without a lock; this is the one place that replaces it.
char** load() { return __atomic_load_n(&environ, __ATOMIC_ACQUIRE); }
void store(char** array) { __atomic_store_n(&environ, array, __ATOMIC_RELEASE); }
bool exchange(char** expected, char** array) {
    return __atomic_compare_exchange_n(&environ, &expected, array, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

std::vector<char*> entries_of(char** array) {
    std::vector<char*> entries;
    for (; array != nullptr && *array != nullptr; ++array) entries.push_back(*array);
    entries.push_back(nullptr);
    return entries;
}

char* first_of(const std::vector<char*>& entries, std::string_view name) {
    for (char* entry : entries) {
        if (entry != nullptr && name_of(entry) == name) return entry;
    }
    return nullptr;
}

std::string* edit_of(std::deque<std::string>& edits, std::string_view name) {
    const auto found = std::find_if(edits.begin(), edits.end(),
                                    [&](const std::string& edit) { return name_of(edit) == name; });
    return found == edits.end() ? nullptr : &*found;
}

// Puts `edits` in the place of the first entry of each name, since that is the one that getenv
// finds, or at the end. Later entries of the name go if `drop_duplicates`.
void apply(std::vector<char*>& entries, std::deque<std::string>& edits, bool drop_duplicates) {
    std::set<std::string_view> placed;
    std::vector<char*> result;
    for (char* entry : entries) {
        if (entry == nullptr) continue;
        std::string* const edit = edit_of(edits, name_of(entry));
        if (edit == nullptr) {
            result.push_back(entry);
        } else if (placed.insert(name_of(*edit)).second) {
            result.push_back(edit->data());
        } else if (!drop_duplicates) {
            result.push_back(entry);
        }
    }
    for (std::string& edit : edits) {
        if (!placed.contains(name_of(edit))) result.push_back(edit.data());
    }
    result.push_back(nullptr);
    entries.swap(result);
}

std::deque<std::string> texts(const Edits& edits) {
    std::deque<std::string> result;
    for (const Edit& edit : edits) result.push_back(edit.name + "=" + edit.value);
    return result;
}

}  // namespace

Overlay::Overlay(const Edits& temporary, const Edits& lasting)
    : temporary_(texts(temporary)), lasting_(texts(lasting)) {}

// A program that calls a failing cuInit again and again must not make us publish a new array each
// time.
Overlay::Published& Overlay::publication_for(char** now) {
    Array entries = entries_of(now);
    if (current_ != nullptr && current_->before_place == now && current_->before == entries) {
        std::copy(current_->pristine.begin(), current_->pristine.end(), current_->during.begin());
        return *current_;
    }
    Published& made = published_.emplace_back();
    made.before = entries;
    made.before_place = now;
    apply(entries, lasting_, true);
    if (entries != made.before) made.after = entries;
    apply(entries, temporary_, false);
    made.during = entries;
    made.pristine = std::move(entries);
    return made;
}

void Overlay::enter() {
    const std::lock_guard lock(mutex_);
    if (inside_++ > 0) return;
    if (temporary_.empty() && lasting_.empty()) return;
    current_ = &publication_for(load());
    store(current_->during.data());
}

void Overlay::leave() {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0 && current_ != nullptr) take_back();
}

void Overlay::leave_in_child() {
    if (inside_ > 0 && current_ != nullptr) take_back();
}

void Overlay::take_back() {
    char** const after = current_->after.empty() ? current_->before_place : current_->after.data();
    if (exchange(current_->during.data(), after)) {
        replay_changes();
    } else {
        undo_in_copy();
    }
}

// Somebody's setenv of a name that was there, or unsetenv, changed our array in place, perhaps
// after we looked: so first the exchange, then the comparison.
void Overlay::replay_changes() {
    const Array now = entries_of(current_->during.data());
    if (now == current_->pristine) return;
    for (char* entry : now) {
        if (entry != nullptr &&
            std::count(current_->pristine.begin(), current_->pristine.end(), entry) == 0)
            putenv(entry);
    }
    for (char* entry : current_->pristine) {
        if (entry == nullptr) continue;
        const std::string name(name_of(entry));
        if (first_of(now, name) == nullptr) unsetenv(name.c_str());
    }
}

// Somebody's setenv of a new name made a larger array out of ours. There our strings are replaced
// by the program's, each by a store of one pointer.
void Overlay::undo_in_copy() {
    for (std::string& edit : temporary_) {
        const std::string name(name_of(edit));
        if (first_of(entries_of(load()), name) != edit.data()) continue;
        char* const own = first_of(current_->before, name);
        if (own != nullptr) {
            putenv(own);
        } else {
            unsetenv(name.c_str());
        }
    }
}

}  // namespace ration::cuda
