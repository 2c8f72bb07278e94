/* SPDX-License-Identifier: MIT */
#include <thimble/der.h>

enum { HEADER, BEGUN, SKIP, TAKE, BAD };

void th_der_init(struct th_der *der, size_t len)
{
    *der = (struct th_der){.state = HEADER};
    if (len > UINT32_MAX)
        der->state = BAD;
    else
        der->levels[0] = (uint32_t)len;
}

static enum th_der_event bad(struct th_der *der)
{
    der->state = BAD;
    return TH_DER_BAD;
}

/* The header is whole: 1 with `len` set, 0 while bytes are missing, -1 when it is not DER. */
static int read_header(struct th_der *der)
{
    if (der->header_len < 1)
        return 0;
    if ((der->header[0] & 0x1F) == 0x1F)
        return -1;
    if (der->header_len < 2)
        return 0;
    uint8_t first = der->header[1];
    uint8_t count = first & 0x7F;
    if (first < 0x80) {
        der->len = first;
        return 1;
    }
    if (count == 0 || count > TH_DER_HEADER_MAX - 2)
        return -1;
    if (der->header_len < 2 + count)
        return 0;
    uint32_t len = 0;
    for (uint8_t i = 0; i < count; i++)
        len = len << 8 | der->header[2 + i];
    der->len = len;
    /* X.690 §10.1: the shortest form. */
    return len >= 0x80 && der->header[2] != 0 ? 1 : -1;
}

static enum th_der_event next_header(struct th_der *der, struct th_span *input)
{
    uint32_t *room = &der->levels[der->depth];
    if (*room == 0 && der->header_len == 0 && der->depth > 0) {
        der->depth--;
        return TH_DER_END;
    }
    while (input->len > 0) {
        if (*room == 0)
            return bad(der);
        der->header[der->header_len++] = *input->at++;
        input->len--;
        (*room)--;
        int whole = read_header(der);
        if (whole < 0 || (whole > 0 && der->len > *room))
            return bad(der);
        if (whole > 0) {
            *room -= der->len;
            der->left = der->len;
            der->tag = der->header[0];
            der->state = BEGUN;
            return TH_DER_BEGIN;
        }
    }
    return TH_DER_MORE;
}

static struct th_span next_piece(struct th_der *der, struct th_span *input)
{
    size_t len = input->len < der->left ? input->len : der->left;
    struct th_span piece = {input->at, len};
    input->at += len;
    input->len -= len;
    der->left -= (uint32_t)len;
    return piece;
}

static void to_header(struct th_der *der)
{
    der->state = HEADER;
    der->header_len = 0;
}

enum th_der_event th_der_next(struct th_der *der, struct th_span *input, struct th_span *bytes)
{
    for (;;) {
        switch (der->state) {
        case HEADER: return next_header(der, input);
        case BEGUN: der->state = SKIP; break;
        case SKIP:
            next_piece(der, input);
            if (der->left > 0)
                return TH_DER_MORE;
            to_header(der);
            break;
        case TAKE:
            if (der->left == 0) {
                to_header(der);
                return TH_DER_END;
            }
            if (input->len == 0)
                return TH_DER_MORE;
            *bytes = next_piece(der, input);
            return TH_DER_BYTES;
        default: return TH_DER_BAD;
        }
    }
}

void th_der_enter(struct th_der *der, uint8_t skip)
{
    if (der->state != BEGUN)
        return;
    if (der->depth + 1 >= TH_DER_DEPTH || der->len < skip) {
        der->state = BAD;
        return;
    }
    der->levels[++der->depth] = der->len - skip;
    der->left = skip;
    der->state = SKIP;
}

void th_der_take(struct th_der *der)
{
    if (der->state == BEGUN)
        der->state = TAKE;
}

bool th_der_finished(const struct th_der *der)
{
    bool between = der->state == HEADER && der->header_len == 0;
    return between && der->depth == 0 && der->levels[0] == 0;
}
