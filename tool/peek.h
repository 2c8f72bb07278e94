/* SPDX-License-Identifier: MIT */
/* What a server shows of itself, whoever it is: its certificates, taken over a connection of their
 * own that judges nothing and sends nothing. */
#ifndef TOOL_PEEK_H
#define TOOL_PEEK_H

#include <openssl/x509.h>

#include <thimble/net.h>

/* NULL when the server shows none; free with sk_X509_pop_free(…, X509_free). `sni` may be NULL. At
 * most 10 s. */
STACK_OF(X509) * peek_chain(const struct th_address *address, const char *sni);

#endif
