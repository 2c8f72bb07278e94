/* SPDX-License-Identifier: MIT */
#include "trust/name.h"

#include <thimble/net.h>

enum { FIRST, EXACT, STAR, SUBTREE, DEAD };

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

void th_trust_name_init(struct th_trust_name *name, const char *text)
{
    *name = (struct th_trust_name){.text = text ? text : ""};
    size_t len = strlen(name->text);
    if (len > 0 && name->text[len - 1] == '.')
        len--;
    name->len = len <= UINT16_MAX ? (uint16_t)len : 0;
    struct th_address address;
    if (th_address_parse(name->text, &address)) {
        name->ip_len = address.family == 4 ? 4 : 16;
        memcpy(name->ip, address.bytes, name->ip_len);
    }
}

/* Where the second label begins; 0 when the name has fewer than three, or an empty first. */
static uint16_t after_first_label(const struct th_trust_name *name)
{
    uint16_t begin = 0;
    unsigned dots = 0;
    for (uint16_t i = 0; i < name->len; i++) {
        if (name->text[i] == '.' && dots++ == 0)
            begin = (uint16_t)(i + 1);
    }
    return dots >= 2 && begin > 1 ? begin : 0;
}

void th_trust_match_begin(struct th_trust_match *match, const struct th_trust_name *name)
{
    *match = (struct th_trust_match){.state = name->ip_len > 0 ? DEAD : FIRST};
}

void th_trust_match_begin_subtree(struct th_trust_match *match, const struct th_trust_name *name,
                                  size_t len)
{
    *match = (struct th_trust_match){.state = SUBTREE};
    if (name->ip_len > 0 || len > name->len)
        match->state = DEAD;
    else if (len == 0)
        *match = (struct th_trust_match){.at = name->len, .state = EXACT};
    else
        match->at = (uint16_t)(name->len - len);
}

static void match_char(struct th_trust_match *match, const struct th_trust_name *name, uint8_t c)
{
    if (match->state == STAR) {
        match->at = after_first_label(name);
        match->state = c == '.' && match->at > 0 ? EXACT : DEAD;
        return;
    }
    if (match->state == FIRST && c == '*') {
        match->state = STAR;
        return;
    }
    /* The constraint begins at a label: of ours, or with its own dot. */
    if (match->state == SUBTREE && match->at > 0 && c != '.' && name->text[match->at - 1] != '.')
        match->state = DEAD;
    if (match->state == DEAD)
        return;
    bool same =
        match->at < name->len && c != '*' && lower(c) == lower((uint8_t)name->text[match->at]);
    match->state = same ? EXACT : DEAD;
    match->at++;
}

void th_trust_match_feed(struct th_trust_match *match, const struct th_trust_name *name,
                         struct th_span piece)
{
    for (size_t i = 0; i < piece.len && match->state != DEAD; i++)
        match_char(match, name, piece.at[i]);
}

bool th_trust_match_end(const struct th_trust_match *match, const struct th_trust_name *name)
{
    return match->state == EXACT && match->at == name->len && name->len > 0;
}

bool th_trust_name_matches(struct th_span pattern, const char *server_name)
{
    struct th_trust_name name;
    struct th_trust_match match;
    th_trust_name_init(&name, server_name);
    th_trust_match_begin(&match, &name);
    th_trust_match_feed(&match, &name, pattern);
    return th_trust_match_end(&match, &name);
}
