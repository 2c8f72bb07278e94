/* SPDX-License-Identifier: MIT */
/*
 * Chains from a peer: [options] then certificates, each with two bytes of length; the last one is
 * given as the anchor too when the options say so. Fed whole and in pieces; the verdict, its
 * evidence and the summary must be the same.
 */
#include <stdlib.h>
#include <string.h>

#include <thimble/trust.h>

/* Not a hash anyone should use: what counts here is that it is the same for the same bytes. */
static void mix_init(union th_hash_state *state)
{
    memset(state, 0x5A, sizeof *state);
}

static void mix_update(union th_hash_state *state, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t *at = &state->bytes[1 + state->bytes[0] % 32];
        *at = (uint8_t)((*at ^ bytes[i]) * 167 + 13);
        state->bytes[0]++;
    }
}

static void mix_out(const union th_hash_state *state, uint8_t *digest)
{
    memcpy(digest, state->bytes + 1, TH_SHA1_BYTES);
}

static void mix_out_long(const union th_hash_state *state, uint8_t *digest)
{
    memcpy(digest, state->bytes + 1, TH_SHA256_BYTES);
}

static const struct th_hash_ops mix_long = {mix_init, mix_update, mix_out_long};
static const struct th_hash_ops mix_short = {mix_init, mix_update, mix_out};
static const struct th_hashes hashes = {&mix_long, &mix_short};

static const char *const names[] = {"broker.test", "192.0.2.1", "2001:db8::1", "a.broker.test"};
static const uint8_t pins[1][TH_SHA256_BYTES] = {{1}};
static const uint8_t sha1[1][TH_SHA1_BYTES] = {{2}};
static const struct th_span no_anchor = {(const uint8_t *)"\x30", 1};

static struct th_trust trust_of(uint8_t options)
{
    struct th_trust trust = {.anchors = &no_anchor, .anchor_count = 1};
    trust.clock =
        (struct th_clock_view){(enum th_clock_kind)(options >> 2 & 3), 1000000000, 1790000000};
    if (options & 0x10) {
        trust.pins = pins;
        trust.pin_count = 1;
    }
    if (options & 0x20) {
        trust.sha1_fingerprints = sha1;
        trust.sha1_fingerprint_count = 1;
    }
    trust.mode = options & 0x40 ? TH_TRUST_FINGERPRINT_INSTEAD : TH_TRUST_ANCHORS;
    return trust;
}

struct outcome {
    enum th_error error;
    struct th_failure failure, no_anchor;
    struct th_trust_summary summary;
};

static void feed(struct th_trust_check *check, const uint8_t *bytes, size_t len, size_t step)
{
    th_trust_certificate(check, len);
    for (size_t at = 0; at < len; at += step)
        th_trust_feed(check, bytes + at, len - at < step ? len - at : step);
    th_trust_certificate_end(check);
}

static void judge(const uint8_t *data, size_t size, size_t step, struct outcome *outcome)
{
    struct th_trust_check check;
    struct th_trust trust = trust_of(data[0]);
    struct th_span last = {NULL, 0};
    memset(outcome, 0, sizeof *outcome);
    th_trust_begin(&check, &trust, &hashes, names[data[0] & 3]);
    for (size_t at = 1; at + 2 <= size;) {
        size_t len = (size_t)(data[at] << 8 | data[at + 1]);
        at += 2;
        len = len < size - at ? len : size - at;
        last = th_span_of(data + at, len);
        feed(&check, last.at, last.len, step > 0 ? step : len + 1);
        at += len;
    }
    if (data[0] & 0x80)
        th_trust_anchor(&check, last);
    outcome->error = th_trust_end(&check, &outcome->failure);
    outcome->no_anchor = th_failure_of(TH_ERR_TRUST_UNKNOWN_CA);
    th_trust_explain(&check, &outcome->no_anchor);
    outcome->summary = *th_trust_result(&check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    static struct outcome whole, pieces;
    judge(data, size, 0, &whole);
    for (size_t step = 1; step < 40; step += 13) {
        judge(data, size, step, &pieces);
        if (whole.error != pieces.error ||
            memcmp(&whole.failure, &pieces.failure, sizeof whole.failure) != 0 ||
            memcmp(&whole.no_anchor, &pieces.no_anchor, sizeof whole.no_anchor) != 0 ||
            memcmp(&whole.summary, &pieces.summary, sizeof whole.summary) != 0)
            abort();
    }
    return 0;
}
