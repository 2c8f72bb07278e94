/* SPDX-License-Identifier: MIT */
/*
 * The page of configuration mode, as web/ has it: one document, joined and compressed while
 * building (cmake/host/page.sh). Naming th_page links it; the library is thimble_page.
 */
#ifndef THIMBLE_PAGE_H
#define THIMBLE_PAGE_H

#include <thimble/span.h>

#define TH_PAGE_MAX 24576 /* bytes it takes in flash, at most */

struct th_page {
    struct th_span gzip; /* on a boundary of four bytes */
    /* For th_http_answer: that it is compressed, that nobody keeps or guesses it, and a policy: it
     * may run and load what it was built with, named by its digests, and nothing else. At most 400
     * bytes. */
    const char *fields;
};

extern const struct th_page th_page;

#endif
