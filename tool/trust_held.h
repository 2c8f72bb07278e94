/* SPDX-License-Identifier: MIT */
/* What a device is known to trust by: devices/NAME/trust.bundle, a copy of what it was enrolled
 * with, or of the last bundle that it was seen to keep. */
#ifndef TOOL_TRUST_HELD_H
#define TOOL_TRUST_HELD_H

#include "home.h"

/* Manifest and set; nothing where the device has no directory here. */
int trust_held_keep(const struct home *home, const char *device, const void *bundle, size_t len);

/* True when this anchor is known to be in it. */
bool trust_held_has(const struct home *home, const char *device, X509 *anchor);

#endif
