// ioctl, by which the HSA runtime reaches AMD's kernel driver, and nearly every program its
// terminal.
#pragma once

namespace ration::front {

// The next ioctl behind libration.so: libc's, or another preloaded library's.
void* next_ioctl();

// What the slot of ioctl holds before the decision and where the engine refused. Whatever is not
// KFD's goes to the next ioctl.
int undecided_ioctl(int descriptor, unsigned long request, void* argument);
int refused_ioctl(int descriptor, unsigned long request, void* argument);

}  // namespace ration::front
