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
int token_key_load(const char *uri, EVP_PKEY **out)
{
    ENGINE_load_builtin_engines();
    ENGINE *engine = ENGINE_by_id("pkcs11");
    if (!engine)
        return fail(EXIT_MISSING,
                    "--key: OpenSSL has no engine for PKCS#11 tokens: %s\n"
                    "apt-get install libengine-pkcs11-openssl",
                    x509_error());
    int code = EXIT_OK;
    ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 0);
    if (ENGINE_init(engine) != 1) {
        code = fail(EXIT_INPUT,
                    "--key: the PKCS#11 module cannot be used: %s\n"
                    "set PKCS11_MODULE_PATH to the token's library",
                    x509_error());
    } else {
        *out = ENGINE_load_private_key(engine, uri, NULL, NULL);
        if (!*out)
            code = fail(EXIT_INPUT,
                        "--key: the token has no such key, or its PIN is wrong: %s\n"
                        "see what it has: pkcs11-tool --login --list-objects",
                        x509_error());
        ENGINE_finish(engine);
    }
    ENGINE_free(engine);
    return code;
}
