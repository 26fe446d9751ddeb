// Closing any descriptor of a file drops the POSIX locks that the process holds on it: whoever in
// this process wants to read the file in which it publishes uses the descriptor that is open
// already.
#pragma once

namespace ration::state {

// The descriptor of this process's records file, -1 if it publishes nothing. Never close it.
int own_records_descriptor();

}  // namespace ration::state
