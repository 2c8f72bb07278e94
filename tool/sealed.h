/* SPDX-License-Identifier: MIT */
/* Bytes under a pass phrase: CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM, its key wrapped for
 * a password recipient (RFC 3211) by PBKDF2. `openssl cms -decrypt` opens it too. */
#ifndef TOOL_SEALED_H
#define TOOL_SEALED_H

#include "files.h"

/* Each gives back EXIT_OK, or the code of an error it has printed; free *out with bytes_free(). */
int sealed_make(const void *bytes, size_t len, const char *pass, struct bytes *out);
/* `path` is what the errors name. */
int sealed_open(const char *path, const struct bytes *sealed, const char *pass, struct bytes *out);

#endif
