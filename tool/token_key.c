/* SPDX-License-Identifier: MIT */
/* Engines are deprecated in OpenSSL 3, but Debian has no PKCS#11 provider yet. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "token_key.h"

#include <string.h>

#include <openssl/engine.h>

#include "exits.h"
#include "term.h"
#include "x509.h"

bool token_key_named(const char *path)
{
    return strncmp(path, "pkcs11:", 7) == 0;
}

/* The URI may hold a PIN: errors do not repeat it, and the engine is kept from printing it. */
bool token_key_has_pin(const char *uri)
{
    return strstr(uri, "pin-value=") || strstr(uri, "pin-source=");
}

int token_key_load(const struct token_key *wanted, EVP_PKEY **out)
{
    ENGINE_load_builtin_engines();
    ENGINE *engine = ENGINE_by_id("pkcs11");
    if (!engine)
        return fail(EXIT_MISSING,
                    "%s: OpenSSL has no engine for PKCS#11 tokens: %s\n"
                    "apt-get install libengine-pkcs11-openssl",
                    wanted->what, x509_error());
    int code = EXIT_OK;
    ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 0);
    if (ENGINE_init(engine) != 1) {
        code = fail(EXIT_INPUT,
                    "%s: the PKCS#11 module cannot be used: %s\n"
                    "set PKCS11_MODULE_PATH to the token's library",
                    wanted->what, x509_error());
    } else {
        if (wanted->pin)
            ENGINE_ctrl_cmd_string(engine, "PIN", wanted->pin, 0);
        *out = ENGINE_load_private_key(engine, wanted->uri, NULL, NULL);
        if (!*out)
            code = fail(EXIT_INPUT, "%s: the token has no such key, or its PIN is wrong: %s\n%s",
                        wanted->what, x509_error(),
                        wanted->next ? wanted->next
                                     : "see what it has: pkcs11-tool --login --list-objects");
        ENGINE_finish(engine);
    }
    ENGINE_free(engine);
    return code;
}
