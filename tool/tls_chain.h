/* SPDX-License-Identifier: MIT */
/* Prints the certificates a server showed. */
#ifndef TOOL_TLS_CHAIN_H
#define TOOL_TLS_CHAIN_H

#include <openssl/x509.h>

#include "json.h"

void tls_chain_show(STACK_OF(X509) * chain);
void tls_chain_json(struct json *json, STACK_OF(X509) * chain); /* objects of an open array */

#endif
