/* SPDX-License-Identifier: MIT */
/* Asks devices themselves whether they trust an anchor (Trust.Get), all over one connection. */
#ifndef TOOL_TRUST_ASK_H
#define TOOL_TRUST_ASK_H

#include <openssl/x509.h>

#include "home.h"

enum trust_answer {
    TRUST_SILENT, /* not connected, or it does not know Trust.Get */
    TRUST_HAS,
    TRUST_HAS_NOT,
};

struct trust_asked {
    char name[REGISTRY_NAME_MAX];
    enum trust_answer answer;
};

/* As the user `as`, an operator or admin; NULL: the only user of the state directory `dir`. Whoever
 * says nothing for 3 s is silent, and 32 are asked at a time. The exit code; errors are printed. */
int trust_ask(const char *dir, const char *as, X509 *anchor, struct trust_asked *devices,
              size_t count);

#endif
