/* SPDX-License-Identifier: MIT */
/* Private keys that stay in a PKCS#11 token, named by a URI (RFC 7512), through OpenSSL's engine
 * "pkcs11" (Debian: libengine-pkcs11-openssl). */
#ifndef TOOL_TOKEN_KEY_H
#define TOOL_TOKEN_KEY_H

#include <stdbool.h>

#include <openssl/evp.h>

/* "pkcs11:…" */
bool token_key_named(const char *path);

/* EXIT_OK, or the code of an error it has printed. The key is freed by the caller. */
int token_key_load(const char *uri, EVP_PKEY **out);

#endif
