/* SPDX-License-Identifier: MIT */
#ifndef TOOL_REVOKE_H
#define TOOL_REVOKE_H

#include "options.h"

/* "device revoke" and "user revoke": takes certificates and rights away, ends every connection and
 * session, clears what is retained, and shows that nothing gets in any more (I8). */
int revoke_run(const struct usage *usage, const char *kind, int argc, char **argv);

#endif
