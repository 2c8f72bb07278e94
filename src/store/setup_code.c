/* SPDX-License-Identifier: MIT */
/* Crockford's base 32: no I, L, O and U, so that nothing is mistaken for another character. */
#include <thimble/factory.h>

#include "base/wipe.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The character it stands for; 0 when it is none. */
static char digit_of(uint8_t typed)
{
    char c = (char)(typed >= 'a' && typed <= 'z' ? typed - 'a' + 'A' : typed);

    if (c == 'O')
        return '0';
    if (c == 'I' || c == 'L')
        return '1';
    return c != '\0' && strchr(digits, c) ? c : '\0';
}

bool th_setup_code_parse(struct th_span typed, char code[TH_SETUP_CODE + 1])
{
    size_t len = 0;

    memset(code, 0, TH_SETUP_CODE + 1);
    for (size_t i = 0; i < typed.len; i++) {
        if (typed.at[i] == '-' || typed.at[i] == ' ')
            continue;
        char c = digit_of(typed.at[i]);
        if (c == '\0' || len == TH_SETUP_CODE) {
            th_wipe(code, TH_SETUP_CODE + 1);
            return false;
        }
        code[len++] = c;
    }
    return len == TH_SETUP_CODE;
}

void th_setup_code_show(const char code[TH_SETUP_CODE + 1], char shown[TH_SETUP_CODE_SHOWN + 1])
{
    size_t len = 0;

    for (size_t i = 0; i < TH_SETUP_CODE; i++) {
        if (i > 0 && i % 4 == 0)
            shown[len++] = '-';
        shown[len++] = code[i];
    }
    shown[len] = '\0';
}

/* 10 bytes are 16 characters of 5 bits, the highest first. */
static void encode(const uint8_t random[TH_SETUP_CODE * 5 / 8], char code[TH_SETUP_CODE + 1])
{
    uint32_t bits = 0;
    unsigned held = 0, next = 0;

    for (size_t i = 0; i < TH_SETUP_CODE; i++) {
        if (held < 5) {
            bits = bits << 8 | random[next++];
            held += 8;
        }
        held -= 5;
        code[i] = digits[bits >> held & 31];
    }
    code[TH_SETUP_CODE] = '\0';
}

enum th_error th_factory_code_make(struct th_factory *factory, const struct th_board *board,
                                   char code[TH_SETUP_CODE + 1])
{
    uint8_t random[TH_SETUP_CODE * 5 / 8];

    memset(code, 0, TH_SETUP_CODE + 1);
    if (!board->entropy.ops->fill(board->entropy.ctx, random, sizeof random))
        return TH_ERR_TLS_ENTROPY;
    encode(random, code);
    th_wipe(random, sizeof random);
    enum th_error error = th_factory_code_set(factory, code);
    if (error)
        th_wipe(code, TH_SETUP_CODE + 1);
    return error;
}

bool th_setup_code_wifi(const struct th_crypto *crypto, const char code[TH_SETUP_CODE + 1],
                        char pass[TH_SETUP_CODE + 1])
{
    uint8_t key[TH_SETUP_CODE];
    bool ok = th_hkdf(crypto, th_span_of(NULL, 0), th_span_of(code, TH_SETUP_CODE),
                      TH_SPAN("thimble wpa2 1"), key, sizeof key);

    memset(pass, 0, TH_SETUP_CODE + 1);
    for (size_t i = 0; ok && i < sizeof key; i++)
        pass[i] = digits[key[i] & 31];
    th_wipe(key, sizeof key);
    return ok;
}
