// One user's records file: opening it safely, claiming a slot, writing to it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "shim/host/descriptor.h"
#include "shim/state/layout.h"

namespace ration::state {

// Opens the records file in `part`, making it if missing, readable as `part` is. For its writer, so
// for reading and writing, and moved out of the way of the program's own descriptors. Nothing and a
// reason if it is not a plain file of ours in our format; a plain file of ours without a readable
// header is replaced.
host::Descriptor open_records(const std::string& part, uid_t uid, std::string& why);

// Locks and empties the first free slot, else the oldest dead one, and tells its number; never one
// of `held`, which this process holds, since a lock does not keep its own process out. Nothing and
// a reason if all are live or the file system is full.
std::optional<unsigned> claim_slot(int fd, const Identity& self, const std::vector<unsigned>& held,
                                   std::string& why);

// Takes the lock of `slot` again if its record is still that of `self`. Then `sequence` is the
// record's.
bool reclaim_slot(int fd, unsigned slot, const Identity& self, std::uint64_t& sequence);

// Lets go of the slot's lock; its record stays, as a dead one.
void release_slot(int fd, unsigned slot);

// Writes the copy that `copy.sequence` names. False if the file system is full or the like.
bool write_copy(int fd, unsigned slot, const Copy& copy);

// Is the first byte of the slot at `offset` locked by another process?
bool locked_by_other(int fd, off_t offset);

bool same_file(int fd, dev_t device, ino_t inode);

}  // namespace ration::state
