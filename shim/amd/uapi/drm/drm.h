/* linux/kfd_ioctl.h includes <drm/drm.h> for its integer types alone, and Debian and Ubuntu keep that
 * header with libdrm: this stands in for it, so that nothing but the kernel's own headers is needed. */
#pragma once
#include <linux/types.h>
