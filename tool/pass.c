/* SPDX-License-Identifier: MIT */
#include "pass.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */
#include <openssl/evp.h>

#include "exits.h"
#include "term.h"

enum { LINE_FAILED = -1, LINE_TOO_LONG = -2 };

/* Byte by byte: what stands behind the line of a pipe is another reader's. Gives back its length.
 */
static int read_line(int file, char into[PASS_MAX + 1])
{
    int len = 0;
    for (;;) {
        char letter;
        ssize_t got = read(file, &letter, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return LINE_FAILED;
        if (got == 0 || letter == '\n' || letter == '\r')
            break;
        if (len == PASS_MAX)
            return LINE_TOO_LONG;
        into[len++] = letter;
    }
    into[len] = '\0';
    return len;
}

int pass_of_file(const char *path, char pass[PASS_MAX + 1])
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int len = file >= 0 ? read_line(file, pass) : LINE_FAILED;
    int error = errno;
    if (file >= 0)
        close(file);
    if (len > 0 && memchr(pass, '\0', (size_t)len) == NULL)
        return EXIT_OK;
    OPENSSL_cleanse(pass, PASS_MAX + 1);
    if (len == LINE_FAILED)
        return fail(EXIT_INPUT, "cannot open %s: %s\ncheck the path and its permissions", path,
                    strerror(error));
    return fail(EXIT_INPUT,
                "the first line of %s is no pass phrase of 1 to %d bytes\n"
                "write one into it",
                path, PASS_MAX);
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
