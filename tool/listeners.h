/* SPDX-License-Identifier: MIT */
/* The listeners of broker/mosquitto.conf, as it stands: it may have been edited by hand. */
#ifndef TOOL_LISTENERS_H
#define TOOL_LISTENERS_H

#include "home.h"

#define LISTENERS_MAX 8

enum listener_kind {
    LISTENER_DEVICES,
    LISTENER_USERS,
    LISTENER_RECOVERY,
    LISTENER_LOOPBACK, /* without TLS */
    LISTENER_WEBSOCKETS,
    LISTENER_UNKNOWN
};

struct listener {
    enum listener_kind kind;
    long configured, port; /* in the file, and where it listens now */
    char address[64];      /* it is reached at */
    bool loopback, tls, websockets;
    bool passwords; /* instead of certificates */
};

struct listeners {
    struct listener at[LISTENERS_MAX];
    size_t count;
    bool anonymous_denied;
};

/* EXIT_OK, or an error it has printed: no configuration, or one without a listener. */
int listeners_read(struct home *home, struct listeners *out);

/* Calls `each` with every line of the configuration that says something. */
int listeners_lines(const struct home *home,
                    void (*each)(void *user, const char *name, char *value), void *user);

/* "devices'", for a sentence. */
const char *listener_kind_name(enum listener_kind kind);

#endif
