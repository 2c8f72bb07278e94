/* SPDX-License-Identifier: MIT */
/* thimble broker lint: a mosquitto.conf as it was read, and what was found in it. */
#ifndef TOOL_LINT_H
#define TOOL_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "options.h"

#define LINT_LISTENERS_MAX 32

/* A setting and where it stands; `line` 0: nowhere. */
struct lint_setting {
    char text[512];
    int line;
};

struct lint_listener {
    int line; /* 0: the default listener of an old file */
    struct lint_setting certfile, keyfile, cafile, capath, crlfile, require, identity, subject,
        client_id, tls_version;
    bool loopback;
};

struct lint {
    const char *path;
    const struct words *hosts; /* names the certificate must have */
    struct lint_setting anonymous, acl, passwords, plugin;
    bool for_21; /* deprecated since mosquitto 2.1 counts, too */
    struct lint_listener listeners[LINT_LISTENERS_MAX];
    size_t listener_count;
    struct json json;
    unsigned found;
};

/* One finding: `text` says what is wrong and, behind its last '\n', how to mend it. */
void lint_say(struct lint *lint, const char *path, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Certificates, keys and revocation lists of a listener. */
void lint_files(struct lint *lint, const struct lint_listener *listener);

int broker_lint(int argc, char **argv);

#endif
