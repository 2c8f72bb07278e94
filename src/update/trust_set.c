/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/trust_set.h>

#include "base/id.h"

_Static_assert(TH_CALLER_MAX == TH_ID_MAX, "a caller is a name like any other");

#define HEAD      5 /* "THTS", version */
#define ITEM_HEAD 4 /* kind, flags, length */
#define VERSION   1
#define DEMANDED  1 /* flag: who does not know this kind refuses the set */

static const uint8_t magic[4] = {'T', 'H', 'T', 'S'};

/* ---- items ---- */

static bool host_valid(struct th_span host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] <= 0x20 || host.at[i] >= 0x7F)
            return false;
    }
    return host.len > 0 && host.len <= TH_TRUST_HOST_MAX;
}

static bool read_broker(struct th_span body, struct th_trust_item *out)
{
    if (body.len < 3)
        return false;
    out->port = (uint16_t)(body.at[0] | body.at[1] << 8);
    out->bytes = th_span_of(body.at + 2, body.len - 2);
    return out->port != 0 && host_valid(out->bytes);
}

static bool read_key(struct th_span body, struct th_trust_item *out)
{
    if (body.len != 2 + TH_P256_POINT || body.at[2] != 4 || body.at[1] > 1)
        return false;
    out->key.components = body.at[0];
    out->key.development = body.at[1] == 1;
    memcpy(out->key.point, body.at + 2, TH_P256_POINT);
    return true;
}

static bool read_role(struct th_span body, struct th_trust_item *out)
{
    if (body.len < 2 || body.at[0] < TH_ROLE_VIEWER || body.at[0] > TH_ROLE_AGENT)
        return false;
    out->role = (enum th_role)body.at[0];
    out->bytes = th_span_of(body.at + 1, body.len - 1);
    return th_id_valid(out->bytes);
}

/* The body of a known kind into its fields; false when it has not its form. */
static bool read_body(struct th_span body, struct th_trust_item *out)
{
    switch (out->kind) {
    case TH_ITEM_ANCHOR: out->bytes = body; return body.len >= 64 && body.at[0] == 0x30;
    case TH_ITEM_PIN:
    case TH_ITEM_FINGERPRINT: out->bytes = body; return body.len == TH_SHA256_BYTES;
    case TH_ITEM_BROKER:
    case TH_ITEM_RECOVERY: return read_broker(body, out);
    case TH_ITEM_UPDATE_KEY: return read_key(body, out);
    case TH_ITEM_ROLE: return read_role(body, out);
    }
    return false;
}

static bool known(uint8_t kind)
{
    return kind >= TH_ITEM_ANCHOR && kind <= TH_ITEM_ROLE;
}

/* One item at *at, which moves behind it. */
enum item_state { ITEM_GOOD, ITEM_UNKNOWN, ITEM_BAD };

static enum item_state read_item(struct th_span set, size_t *at, struct th_trust_item *out)
{
    const uint8_t *head = set.at + *at;

    if (set.len - *at < ITEM_HEAD)
        return ITEM_BAD;
    size_t len = (size_t)(head[2] | head[3] << 8);
    if (set.len - *at - ITEM_HEAD < len || head[1] > DEMANDED)
        return ITEM_BAD;
    *at += ITEM_HEAD + len;
    if (!known(head[0]))
        return head[1] == DEMANDED ? ITEM_BAD : ITEM_UNKNOWN;
    memset(out, 0, sizeof *out);
    out->kind = (enum th_trust_item_kind)head[0];
    return read_body(th_span_of(head + ITEM_HEAD, len), out) ? ITEM_GOOD : ITEM_BAD;
}

/* ---- the set ---- */

struct tally {
    size_t trusted, brokers, trust_keys;
    bool twice;
};

static void count(struct th_span set, size_t before, const struct th_trust_item *item,
                  struct tally *tally)
{
    if (item->kind <= TH_ITEM_FINGERPRINT)
        tally->trusted++;
    else if (item->kind == TH_ITEM_BROKER)
        tally->brokers++;
    else if (item->kind == TH_ITEM_UPDATE_KEY && (item->key.components >> TH_COMPONENT_TRUST & 1))
        tally->trust_keys++;
    else if (item->kind == TH_ITEM_ROLE &&
             th_trust_set_role(th_span_of(set.at, before), item->bytes) != TH_ROLE_NONE)
        tally->twice = true;
}

enum th_error th_trust_set_check(struct th_span set)
{
    struct tally tally = {0};

    if (set.len < HEAD || set.len > TH_TRUST_SET_MAX || memcmp(set.at, magic, sizeof magic) != 0 ||
        set.at[4] != VERSION)
        return TH_ERR_TRUST_SET_FORMAT;
    for (size_t at = HEAD; at < set.len;) {
        struct th_trust_item item;
        size_t before = at;
        enum item_state state = read_item(set, &at, &item);

        if (state == ITEM_BAD)
            return TH_ERR_TRUST_SET_FORMAT;
        if (state == ITEM_GOOD)
            count(set, before, &item, &tally);
    }
    return tally.trusted > 0 && tally.brokers > 0 && tally.trust_keys > 0 && !tally.twice
               ? TH_OK
               : TH_ERR_TRUST_SET_FORMAT;
}

bool th_trust_set_next(struct th_span set, size_t *at, struct th_trust_item *out)
{
    if (*at == 0)
        *at = HEAD;
    while (*at < set.len) {
        enum item_state state = read_item(set, at, out);

        if (state != ITEM_UNKNOWN)
            return state == ITEM_GOOD;
    }
    return false;
}

bool th_trust_set_item(struct th_span set, enum th_trust_item_kind kind, size_t n,
                       struct th_trust_item *out)
{
    size_t at = 0;

    while (th_trust_set_next(set, &at, out)) {
        if (out->kind == kind && n-- == 0)
            return true;
    }
    return false;
}

enum th_role th_trust_set_role(struct th_span set, struct th_span caller)
{
    struct th_trust_item item;
    size_t at = 0;

    while (th_trust_set_next(set, &at, &item)) {
        if (item.kind == TH_ITEM_ROLE && th_span_equal(item.bytes, caller))
            return item.role;
    }
    return TH_ROLE_NONE;
}

/* ---- making one ---- */

/* What stands before `bytes` in the body of that kind. */
static size_t body_prefix(const struct th_trust_item *item, uint8_t prefix[2 + TH_P256_POINT])
{
    switch (item->kind) {
    case TH_ITEM_BROKER:
    case TH_ITEM_RECOVERY:
        prefix[0] = (uint8_t)item->port;
        prefix[1] = (uint8_t)(item->port >> 8);
        return 2;
    case TH_ITEM_UPDATE_KEY:
        prefix[0] = item->key.components;
        prefix[1] = item->key.development;
        memcpy(prefix + 2, item->key.point, TH_P256_POINT);
        return 2 + TH_P256_POINT;
    case TH_ITEM_ROLE: prefix[0] = (uint8_t)item->role; return 1;
    case TH_ITEM_ANCHOR:
    case TH_ITEM_PIN:
    case TH_ITEM_FINGERPRINT: break;
    }
    return 0;
}

enum th_error th_trust_set_add(uint8_t *set, size_t room, size_t *len,
                               const struct th_trust_item *item)
{
    uint8_t prefix[2 + TH_P256_POINT];
    size_t head = body_prefix(item, prefix);
    struct th_span rest = item->bytes;
    size_t begin = *len == 0 ? HEAD : *len, at = begin;
    struct th_trust_item back;

    if (item->kind == TH_ITEM_UPDATE_KEY)
        rest.len = 0;
    if (rest.len > TH_TRUST_SET_MAX || begin + ITEM_HEAD + head + rest.len > room)
        return TH_ERR_TOO_LARGE;
    if (*len == 0) {
        memcpy(set, magic, sizeof magic);
        set[4] = VERSION;
    }
    set[begin] = (uint8_t)item->kind;
    set[begin + 1] = 0;
    set[begin + 2] = (uint8_t)(head + rest.len);
    set[begin + 3] = (uint8_t)((head + rest.len) >> 8);
    memcpy(set + begin + ITEM_HEAD, prefix, head);
    if (rest.len > 0)
        memcpy(set + begin + ITEM_HEAD + head, rest.at, rest.len);
    size_t end = begin + ITEM_HEAD + head + rest.len;
    if (read_item(th_span_of(set, end), &at, &back) != ITEM_GOOD)
        return TH_ERR_INVALID;
    *len = end;
    return TH_OK;
}
