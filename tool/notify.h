/* SPDX-License-Identifier: MIT */
/* sd_notify(3) without the library: what a service of Type=notify says to systemd. */
#ifndef TOOL_NOTIFY_H
#define TOOL_NOTIFY_H

/* "READY=1", "STATUS=..."; nothing where systemd does not listen. */
void notify_systemd(const char *text);

#endif
