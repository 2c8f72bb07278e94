/* SPDX-License-Identifier: MIT */
/* The rule for names of devices and users (F7): they become client ids, user names, topic levels
 * and ACL lines, so nothing that means something there may be in them. */
#ifndef TOOL_NAMES_H
#define TOOL_NAMES_H

/* NULL when `name` may be issued, else why not, for "… is not usable: <why>". */
const char *names_fault(const char *name);

/* NULL when `host` is an IP address or a DNS name that can stand in a certificate. */
const char *names_host_fault(const char *host);

#endif
