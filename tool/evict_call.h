/* SPDX-License-Identifier: MIT */
/* Calls of an eviction: connections that come, look and go. */
#ifndef TOOL_EVICT_CALL_H
#define TOOL_EVICT_CALL_H

#include "evict.h"

#define EVICT_ANSWER_MS 4000

/* How somebody calls. */
struct evict_how {
    const struct evict_paper *paper;
    const char *backend; /* NULL: OpenSSL */
    bool old_session;    /* not a clean start: asks for what is there */
};

/* EXIT_OK, or an error that was printed. */
int evict_call_open(struct evict *evict, struct evict_call *call, const struct listener *listener,
                    const struct evict_how *how);

/* Connects; until it is in, or refused, or `most_ms` have passed. */
void evict_call_connect(struct evict *evict, struct evict_call *call, uint32_t most_ms);

/* Goes on until `*happened`, or the connection is lost, or `most_ms` have passed. */
bool evict_call_until(struct evict *evict, struct evict_call *call, const bool *happened,
                      uint32_t most_ms);

/* Says good-bye, and keeps what it was configured with: it may connect again. */
void evict_call_leave(struct evict *evict, struct evict_call *call);
void evict_call_close(struct evict_call *call);

/* It was refused because its certificate is revoked. */
bool evict_call_revoked(const struct evict_call *call);

/* Nobody has answered. */
bool evict_call_unreachable(const struct evict_call *call);

/* "127.0.0.1:8883 (devices' listener): why" */
void evict_call_found(struct evict *evict, const struct evict_call *call, const char *otherwise);

#endif
