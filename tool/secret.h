/* SPDX-License-Identifier: MIT */
/* Passwords: out of files, never out of argv, which everybody can read; made; hashed. */
#ifndef TOOL_SECRET_H
#define TOOL_SECRET_H

#include "registry.h"

#define SECRET_MAX 256 /* with NUL */

/* The first line of a file: 1 to 255 bytes. EXIT_OK, or an error that was printed. */
int secret_read(const char *path, char into[SECRET_MAX]);

/* A new one of 100 random bits, 20 letters and digits that cannot be mixed up. False when the
 * system gives no random numbers. */
bool secret_make(char into[SECRET_MAX]);

/* As mosquitto 2.0 and 2.1 read it: PBKDF2-HMAC-SHA512, "$7$iterations$salt$hash". False when
 * libcrypto fails. */
bool secret_hash(const char *secret, char into[REGISTRY_HASH_MAX]);

#endif
