/* SPDX-License-Identifier: MIT */
#include "pass.h"

#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */
#include <openssl/evp.h>

#include "exits.h"
#include "files.h"
#include "term.h"

int pass_of_file(const char *path, char pass[PASS_MAX + 1])
{
    struct bytes text = {NULL, 0};
    int code = files_read(path, &text);
    size_t len = code == EXIT_OK ? strcspn((const char *)text.at, "\r\n") : 0;
    if (code == EXIT_OK && (len == 0 || len > PASS_MAX))
        code = fail(EXIT_INPUT,
                    "the first line of %s is no pass phrase of 1 to %d bytes\n"
                    "write one into it",
                    path, PASS_MAX);
    if (code == EXIT_OK)
        memcpy(pass, text.at, len);
    pass[code == EXIT_OK ? len : 0] = '\0';
    bytes_free(&text);
    return code;
}

int pass_take(const char *path, const char *prompt, bool twice, const char *without,
              char pass[PASS_MAX + 1])
{
    if (path)
        return pass_of_file(path, pass);
    pass[0] = '\0';
    if (!isatty(STDIN_FILENO))
        return fail(EXIT_USAGE, "there is no terminal to ask for the pass phrase on\n%s", without);
    if (EVP_read_pw_string_min(pass, 1, PASS_MAX, prompt, twice) == 0 && pass[0] != '\0')
        return EXIT_OK;
    OPENSSL_cleanse(pass, PASS_MAX + 1);
    return fail(EXIT_INPUT, "no pass phrase was given\n%s", without);
}
