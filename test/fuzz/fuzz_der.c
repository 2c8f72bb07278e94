/* SPDX-License-Identifier: MIT */
/* The DER reader, and base64: any bytes, whole and in pieces; the events must be the same. */
#include <stdlib.h>

#include <thimble/der.h>

#include "base/base64.h"

/* A digest of everything that was seen, so that two readings can be compared. */
struct seen {
    uint32_t digest;
    bool finished;
};

static void see(struct seen *seen, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        seen->digest = (seen->digest ^ bytes[i]) * 16777619u;
}

static void read_piece(struct th_der *der, struct seen *seen, struct th_span piece)
{
    struct th_span bytes = {NULL, 0};
    enum th_der_event event;
    while ((event = th_der_next(der, &piece, &bytes)) > TH_DER_MORE) {
        uint8_t kind = (uint8_t)event;
        if (event == TH_DER_BAD)
            return;
        if (event != TH_DER_BYTES)
            see(seen, &kind, 1);
        if (event == TH_DER_BYTES)
            see(seen, bytes.at, bytes.len);
        if (event != TH_DER_BEGIN)
            continue;
        see(seen, der->header, der->header_len);
        if (der->tag & 0x20)
            th_der_enter(der, 0);
        else if (der->tag == TH_DER_BIT_STRING && (der->len & 1))
            th_der_enter(der, 1);
        else if (der->tag != TH_DER_OCTET_STRING)
            th_der_take(der);
    }
}

static struct seen read_all(const uint8_t *data, size_t size, size_t step)
{
    struct th_der der;
    struct seen seen = {.digest = 2166136261u};
    th_der_init(&der, size);
    read_piece(&der, &seen, th_span_of(data, 0));
    for (size_t at = 0; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        read_piece(&der, &seen, th_span_of(data + at, len));
    }
    seen.finished = th_der_finished(&der);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = read_all(data, size, size > 0 ? size : 1);
    for (size_t step = 1; step < 9; step += 3) {
        struct seen pieces = read_all(data, size, step);
        if (whole.digest != pieces.digest || whole.finished != pieces.finished)
            abort();
    }
    int64_t time_s;
    th_der_time(size % 2 ? TH_DER_UTC_TIME : TH_DER_GENERALIZED_TIME, th_span_of(data, size),
                &time_s);
    uint8_t *into = malloc(size + 1);
    char *text = malloc(size + 5);
    size_t len;
    if (th_base64_decode(th_span_of(data, size), into, size, &len) &&
        (th_base64_encode(th_span_of(into, len), text, size + 5) != size ||
         memcmp(text, data, size) != 0))
        abort();
    free(into);
    free(text);
    return 0;
}
