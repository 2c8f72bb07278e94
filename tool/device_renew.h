/* SPDX-License-Identifier: MIT */
#ifndef TOOL_DEVICE_RENEW_H
#define TOOL_DEVICE_RENEW_H

/* thimble device renew: has devices renew their certificates now. */
int device_renew(int argc, char **argv);

#endif
