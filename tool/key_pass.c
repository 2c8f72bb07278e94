/* SPDX-License-Identifier: MIT */
#include "key_pass.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "exits.h"
#include "pass.h"
#include "term.h"

struct key_pass key_pass;
static char known[PASS_MAX + 1];

static int from_environment(const char *value)
{
    size_t len = strlen(value);
    if (len == 0 || len > PASS_MAX)
        return fail(EXIT_INPUT, "THIMBLE_PASSPHRASE has not 1 to %d bytes\nset another", PASS_MAX);
    memcpy(known, value, len + 1);
    return EXIT_OK;
}

static int take(const char *what, bool is_new)
{
    const char *file = key_pass.file ? key_pass.file : getenv("THIMBLE_PASSPHRASE_FILE");
    const char *value = getenv("THIMBLE_PASSPHRASE");
    char prompt[200];
    snprintf(prompt, sizeof prompt, "%s for %s: ", is_new ? "New pass phrase" : "Pass phrase",
             what);
    int code =
        !file && value
            ? from_environment(value)
            : pass_take(file, prompt, is_new,
                        "give --passphrase-file FILE, or set THIMBLE_PASSPHRASE_FILE", known);
    if (code != EXIT_OK)
        key_pass_wipe();
    return code;
}

int key_pass_take(const char *what, const char **out)
{
    *out = known;
    return known[0] ? EXIT_OK : take(what, false);
}

int key_pass_new(const char *what, const char **out)
{
    *out = known;
    int code = known[0] ? EXIT_OK : take(what, true);
    if (code != EXIT_OK || strlen(known) >= KEY_PASS_LEAST)
        return code;
    key_pass_wipe();
    return fail(EXIT_INPUT,
                "the pass phrase is shorter than %d bytes\n"
                "choose a longer one, of several words",
                KEY_PASS_LEAST);
}

void key_pass_wipe(void)
{
    OPENSSL_cleanse(known, sizeof known);
}
