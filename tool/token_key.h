/* SPDX-License-Identifier: MIT */
/* Private keys that stay in a PKCS#11 token, named by a URI (RFC 7512), through OpenSSL's engine
 * "pkcs11" (Debian: libengine-pkcs11-openssl). */
#ifndef TOOL_TOKEN_KEY_H
#define TOOL_TOKEN_KEY_H

#include <stdbool.h>

#include <openssl/evp.h>

/* "pkcs11:…" */
bool token_key_named(const char *path);

/* What is loaded, for the messages: they begin with `what`; `next` is the next step where the token
 * has no such key, NULL for a look at what it has. `pin` NULL: the URI has it (pin-value,
 * pin-source), or none is needed. */
struct token_key {
    const char *what, *uri, *pin, *next;
};

/* EXIT_OK, or the code of an error it has printed. The key is freed by the caller. */
int token_key_load(const struct token_key *wanted, EVP_PKEY **out);

/* True when a URI brings its own PIN. */
bool token_key_has_pin(const char *uri);

#endif
