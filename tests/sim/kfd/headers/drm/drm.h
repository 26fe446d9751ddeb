/* linux/kfd_ioctl.h includes <drm/drm.h>, which Debian keeps with libdrm. */
#pragma once
#include <libdrm/drm.h>
