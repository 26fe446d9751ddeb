#include "shim/host/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace ration::host {
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

// Carries over to `environ` what somebody changed in an array in place: setenv of a name that is
// there, or unsetenv. `reference` is the array as it was.
void replay(const std::vector<char*>& now, const std::vector<char*>& reference) {
    if (now == reference) return;
    for (char* entry : now) {
        const bool known = std::count(reference.begin(), reference.end(), entry) > 0;
        if (entry != nullptr && !known) putenv(entry);
    }
    for (char* entry : reference) {
        if (entry == nullptr) continue;
        const std::string name(name_of(entry));
        if (first_of(now, name) == nullptr) unsetenv(name.c_str());
    }
}

}  // namespace

Overlay::Overlay(const Edits& temporary, const Edits& lasting)
    : temporary_(texts(temporary)), lasting_(texts(lasting)) {}

bool Overlay::is_ours(char** place) const {
    return std::any_of(published_.begin(), published_.end(), [&](const Published& one) {
        return one.after.data() == place && !one.after.empty();
    });
}

// Our strings of the last stay stand in an array that a setenv made then and published after we had
// left: puts the program's in their place. True if there were any.
bool Overlay::put_back_own(Array& entries) const {
    bool stale = false;
    for (const std::string& edit : temporary_) {
        const auto ours = std::find(entries.begin(), entries.end(), edit.data());
        if (ours == entries.end()) continue;
        stale = true;
        char* const own = first_of(current_->before, std::string(name_of(edit)));
        if (own != nullptr) {
            *ours = own;
        } else {
            entries.erase(ours);
        }
    }
    return stale;
}

// A program that calls a failing cuInit again and again must not make us publish a new array each
// time.
Overlay::Published& Overlay::publication_for(char** now) {
    Array entries = entries_of(now);
    const bool stale = put_back_own(entries);
    if (!stale && current_ != nullptr && current_->before_place == now &&
        current_->before == entries) {
        std::copy(current_->pristine.begin(), current_->pristine.end(), current_->during.begin());
        return *current_;
    }
    Published made{now, entries, {}, {}, {}};
    apply(entries, lasting_, true);
    if (stale || entries != made.before || !is_ours(now)) made.after = entries;
    apply(entries, temporary_, false);
    made.during = entries;
    made.pristine = std::move(entries);
    return published_.emplace_back(std::move(made));
}

void Overlay::enter() {
    const std::lock_guard lock(mutex_);
    if (inside_++ > 0 || (temporary_.empty() && lasting_.empty())) return;
    current_ = &publication_for(load());
    store(current_->during.data());
    // A setenv that had found the old array wrote there while we copied it.
    replay(entries_of(current_->before_place), current_->before);
}

void Overlay::leave() {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0 && current_ != nullptr) take_back();
}

void Overlay::tidy() {
    const std::lock_guard lock(mutex_);
    if (inside_ == 0) undo_in_copy();
}

void Overlay::leave_in_child() {
    if (inside_ > 0 && current_ != nullptr) take_back();
}

// First the exchange, then the comparison: a change between the two would be lost the other way
// round.
void Overlay::take_back() {
    char** const after = current_->after.empty() ? current_->before_place : current_->after.data();
    if (exchange(current_->during.data(), after)) {
        replay(entries_of(current_->during.data()), current_->pristine);
    } else {
        undo_in_copy();
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

}  // namespace ration::host
