/* SPDX-License-Identifier: MIT */
#ifndef TH_HTTP_PARTS_H
#define TH_HTTP_PARTS_H

#include <thimble/http.h>

struct http_head {
    struct th_http_request request;
    size_t body_len;
    bool close;           /* the client asked for it, or speaks 1.0 */
    bool expect_continue; /* it waits for 100 before it sends the body */
};

/* Length of the head at the front, its empty line included; 0 when it is not whole yet. Bytes that
 * can never become one (a bare CR or LF, a control character) set `*bad`. */
size_t http_head_length(struct th_span received, bool *bad);

/* Reads a whole head. 0, or the status it is refused with. */
uint16_t http_head_read(struct th_span head, struct http_head *out);

/* Without regard to the case of ASCII letters; `lower` is in lower case. */
bool http_is(struct th_span text, const char *lower);

#endif
