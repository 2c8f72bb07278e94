/* SPDX-License-Identifier: MIT */
#ifndef TOOL_LEGACY_H
#define TOOL_LEGACY_H

/* thimble device legacy: a device's rights for the legacy front's topics. */
int device_legacy(int argc, char **argv);

#endif
