/* SPDX-License-Identifier: MIT */
/*
 * A device on the spot: its page's address or its serial console, and a session that proves the
 * set-up code (docs/config-mode.md). Functions that give back an exit code have printed their
 * error.
 */
#ifndef TOOL_SPOT_H
#define TOOL_SPOT_H

#include <thimble/local.h>

#include "options.h"
#include "pass.h"

/* How it is reached and proved, as options say. */
struct spot_flags {
    const char *url, *serial; /* one of them */
    const char *code, *code_file;
    bool take; /* ends somebody else's session */
};

/* Rows of options; `url` is a word of the command line. */
#define SPOT_ROWS 4
void spot_options(struct spot_flags *flags, struct option rows[SPOT_ROWS]);

/* Frames there and back. */
struct spot_way {
    const char *where;                       /* for people */
    char host[256], port[8];                 /* HTTP */
    int fd;                                  /* the terminal; -1: HTTP */
    char buffer[TH_LOCAL_ANSWER_MAX + 1024]; /* what has come, and is not a whole answer yet */
    size_t held;
};

int spot_http_open(struct spot_way *way, const char *url);
int spot_serial_open(struct spot_way *way, const char *path);
void spot_way_close(struct spot_way *way);
/* `answer` lies in the way until the next one. */
int spot_http_ask(struct spot_way *way, struct th_span frame, struct th_span *answer);
int spot_serial_ask(struct spot_way *way, struct th_span frame, struct th_span *answer);

struct spot {
    struct spot_way way;
    struct th_crypto crypto;
    struct th_board board; /* entropy alone */
    struct th_local_client client;
    char answer[TH_LOCAL_ANSWER_MAX]; /* the last one, decrypted */
};

/* Proves the code, which is asked for where no option gives it, and believes the device only when
 * it proves that it knows it too. */
int spot_open(struct spot *spot, const struct spot_flags *flags);
void spot_close(struct spot *spot);

/* One method; `params` is a JSON object. The result lies in spot->answer until the next call. A
 * device that refuses: EXIT_REFUSED, with its words. */
int spot_call(struct spot *spot, const char *method, const char *params, struct th_json *result);

#endif
