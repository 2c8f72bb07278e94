/* SPDX-License-Identifier: MIT */
/* Passwords for brokers that ask for one: made, and hashed. pass.h reads them from files. */
#ifndef TOOL_SECRET_H
#define TOOL_SECRET_H

#include "pass.h"
#include "registry.h"

#define SECRET_MAX (PASS_MAX + 1)

/* A new one of 100 random bits, 20 letters and digits that cannot be mixed up. False when the
 * system gives no random numbers. */
bool secret_make(char into[SECRET_MAX]);

/* As mosquitto 2.0 and 2.1 read it: PBKDF2-HMAC-SHA512, "$7$iterations$salt$hash". False when
 * libcrypto fails. */
bool secret_hash(const char *secret, char into[REGISTRY_HASH_MAX]);

#endif
