/* SPDX-License-Identifier: MIT */
/* The well-known authorities of this machine, some 150 of them: which one is needed for a server. A
 * device has room for a few, and is safer with one. */
#ifndef TOOL_STORE_ANCHORS_H
#define TOOL_STORE_ANCHORS_H

#include <openssl/x509.h>

/* Where systems keep them; `given` when it is not NULL. EXIT_MISSING, printed, when there is none.
 * Lives for ever. */
int store_path(const char *given, const char **out);

/* The one a server's chain ends in, as a client verifies it today. NULL when there is none, and
 * `why` says why. Free it. */
X509 *store_anchor(const char *store, STACK_OF(X509) * chain, const char *host, const char **why);

/* Those whose common name is one of `names`, appended to `into`. */
int store_named(const char *store, const char *const *names, size_t count, STACK_OF(X509) * into);

/* Writes them as PEM. EXIT_OK or an error that was printed. */
int store_write(const char *path, STACK_OF(X509) * anchors);

#endif
