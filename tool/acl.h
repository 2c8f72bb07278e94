/* SPDX-License-Identifier: MIT */
/* The lines of mosquitto's ACL (DESIGN: Topics). */
#ifndef TOOL_ACL_H
#define TOOL_ACL_H

#include <stdio.h>

#include "registry.h"

/* The patterns every device has. */
void acl_devices(FILE *to);

/* A device's own lines: its birth certificate reaches the recovery topics and nothing else. */
void acl_birth(FILE *to, const char *device);

/* What a user may do by its role, for each of its connections. */
void acl_user(FILE *to, const struct registry_principal *user);

/* The legacy front's topics of one device, by its MAC: for the device itself, and for a user. */
void acl_legacy_device(FILE *to, const char *device, const char *mac);
void acl_legacy_user(FILE *to, const struct registry_principal *user, const char *mac);

/* A revoked name has no rights, the patterns' included: its connection may still stand, and a
 * WebSocket listener of mosquitto 2.0 does not heed the revocation list. */
void acl_revoked(FILE *to, const struct registry_principal *gone);

#endif
