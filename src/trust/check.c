/* SPDX-License-Identifier: MIT */
#include <thimble/trust.h>

#include "trust/judge.h"
#include "trust/name.h"
#include "trust/oid.h"

enum { ROLE_NONE, ROLE_SERVER, ROLE_ISSUER, ROLE_ANCHOR, ROLE_IGNORED };

size_t th_trust_check_size(void)
{
    return sizeof(struct th_trust_check);
}

/* ---- failures: the first one sticks ---- */

static void fail(struct th_trust_check *check, enum th_error error, uint8_t depth, const char *name)
{
    if (check->failure.error != TH_OK)
        return;
    check->failure = th_failure_of(error);
    check->failure.depth = depth;
    th_failure_name(&check->failure, th_span_str(name));
}

static uint8_t depth_of(const struct th_trust_check *check)
{
    return (uint8_t)(check->count > 0 ? check->count - 1 : 0);
}

static void fail_here(struct th_trust_check *check, enum th_error error)
{
    bool free_now = check->failure.error == TH_OK;
    fail(check, error, depth_of(check), check->x509.subject);
    if (free_now && error == TH_ERR_TRUST_WEAK_KEY)
        check->failure.detail = check->x509.key_bits;
}

/* ---- the beginning ---- */

static enum th_error config_error(const struct th_trust *trust, const char *server_name)
{
    switch (trust->mode) {
    case TH_TRUST_ANCHORS:
        if (trust->anchor_count == 0)
            return TH_ERR_TRUST_NOTHING_CONFIGURED;
        return server_name == NULL ? TH_ERR_CONFIG : TH_OK;
    case TH_TRUST_FINGERPRINT_INSTEAD:
        if (trust->sha256_fingerprint_count == 0 && trust->sha1_fingerprint_count == 0 &&
            trust->pin_count == 0)
            return TH_ERR_TRUST_NOTHING_CONFIGURED;
        return TH_OK;
#ifndef TH_NO_INSECURE
    case TH_TRUST_INSECURE_BENCH_ONLY: return TH_OK;
#endif
    default: return TH_ERR_CONFIG;
    }
}

void th_trust_begin(struct th_trust_check *check, const struct th_trust *trust,
                    const struct th_hashes *hashes, const char *server_name)
{
    *check = (struct th_trust_check){.trust = trust, .hashes = hashes, .linked = true};
    check->failure = th_failure_of(TH_OK);
    check->summary.not_before_s = INT64_MIN;
    check->summary.not_after_s = INT64_MAX;
    th_trust_name_init(&check->name, server_name);
    enum th_error error = config_error(trust, server_name);
    if (error != TH_OK)
        fail(check, error, 0, "");
}

/* ---- one certificate ---- */

static void begin_certificate(struct th_trust_check *check, size_t len, uint8_t role)
{
    check->role = role;
    th_x509_begin(&check->x509, len, &check->name, check->hashes->sha256, &check->part);
    check->hashes->sha256->init(&check->whole);
    if (role == ROLE_SERVER && check->trust->sha1_fingerprint_count > 0)
        check->hashes->sha1->init(&check->sha1);
}

void th_trust_certificate(struct th_trust_check *check, size_t len)
{
    bool counts = check->linked && !check->anchored;
    if (counts && check->count == TH_TRUST_CHAIN_MAX) {
        fail(check, TH_ERR_TRUST_CHAIN_TOO_LONG, check->count, check->issuer);
        check->linked = counts = false;
    }
    if (!counts) {
        check->role = ROLE_IGNORED;
        return;
    }
    begin_certificate(check, len, check->count == 0 ? ROLE_SERVER : ROLE_ISSUER);
}

void th_trust_feed(struct th_trust_check *check, const uint8_t *bytes, size_t len)
{
    if (check->role == ROLE_NONE || check->role == ROLE_IGNORED || len == 0)
        return;
    th_x509_feed(&check->x509, th_span_of(bytes, len));
    check->hashes->sha256->update(&check->whole, bytes, len);
    if (check->role == ROLE_SERVER && check->trust->sha1_fingerprint_count > 0)
        check->hashes->sha1->update(&check->sha1, bytes, len);
}

static bool is_one_of(const uint8_t *digest, const void *list, uint8_t count, size_t size)
{
    const uint8_t *at = list;
    for (uint8_t i = 0; i < count; i++, at += size) {
        if (memcmp(at, digest, size) == 0)
            return true;
    }
    return false;
}

static bool has_fingerprint(const struct th_trust_check *check)
{
    const struct th_trust *trust = check->trust;
    uint8_t sha1[TH_SHA1_BYTES];
    if (is_one_of(check->whole_digest, trust->sha256_fingerprints, trust->sha256_fingerprint_count,
                  TH_SHA256_BYTES))
        return true;
    if (trust->sha1_fingerprint_count == 0)
        return trust->sha256_fingerprint_count == 0;
    check->hashes->sha1->out(&check->sha1, sha1);
    return is_one_of(sha1, trust->sha1_fingerprints, trust->sha1_fingerprint_count, TH_SHA1_BYTES);
}

static bool judges_chain(const struct th_trust_check *check)
{
    return check->trust->mode == TH_TRUST_ANCHORS;
}

static void judge_pin(struct th_trust_check *check)
{
    check->pinned |= is_one_of(check->x509.spki_digest, check->trust->pins, check->trust->pin_count,
                               TH_SHA256_BYTES);
}

static void judge_dates(struct th_trust_check *check)
{
    const struct th_clock_view *clock = &check->trust->clock;
    const struct th_x509 *x509 = &check->x509;
    struct th_trust_summary *summary = &check->summary;
    if (!judges_chain(check))
        return;
    enum th_date_verdict verdict = th_trust_date(clock, x509->not_before_s, x509->not_after_s);
    if (verdict > summary->dates)
        summary->dates = verdict;
    if (x509->not_before_s > summary->not_before_s)
        summary->not_before_s = x509->not_before_s;
    if (x509->not_after_s < summary->not_after_s)
        summary->not_after_s = x509->not_after_s;
    summary->floor_s = summary->not_before_s;
    if ((verdict != TH_DATE_EXPIRED && verdict != TH_DATE_NOT_YET) || check->failure.error != TH_OK)
        return;
    fail_here(check, verdict == TH_DATE_EXPIRED ? TH_ERR_DATE_EXPIRED : TH_ERR_DATE_NOT_YET);
    check->failure.not_before_s = x509->not_before_s;
    check->failure.not_after_s = x509->not_after_s;
    bool by_floor = clock->kind != TH_CLOCK_TRUSTED || clock->now_s < clock->floor_s;
    check->failure.now_s = by_floor ? clock->floor_s : clock->now_s;
}

static void judge_server(struct th_trust_check *check)
{
    memcpy(check->summary.subject, check->x509.subject, sizeof check->summary.subject);
    memcpy(check->summary.issuer, check->x509.issuer, sizeof check->summary.issuer);
    memcpy(check->summary.sha256, check->whole_digest, sizeof check->summary.sha256);
    if (!has_fingerprint(check))
        fail_here(check, TH_ERR_TRUST_FINGERPRINT);
    enum th_error error = check->trust->mode == TH_TRUST_ANCHORS
                              ? th_trust_judge_server(&check->x509)
                              : th_trust_judge_key(&check->x509);
    if (error != TH_OK)
        fail_here(check, error);
}

static void judge_ca(struct th_trust_check *check, bool same_as_last)
{
    bool is_anchor = check->role == ROLE_ANCHOR;
    uint8_t below = check->intermediates;
    if (same_as_last && check->last_counted)
        below--;
    enum th_error error = th_trust_judge_ca(&check->x509, below, is_anchor);
    if (error != TH_OK)
        fail_here(check, error);
}

/* This certificate becomes the last of the chain. */
static void remember(struct th_trust_check *check)
{
    const struct th_x509 *x509 = &check->x509;
    check->self_issued =
        memcmp(x509->issuer_digest, x509->subject_digest, sizeof x509->issuer_digest) == 0;
    check->last_counted = check->role == ROLE_ISSUER && !check->self_issued;
    if (check->last_counted)
        check->intermediates++;
    memcpy(check->issuer_digest, x509->issuer_digest, sizeof check->issuer_digest);
    memcpy(check->subject_digest, x509->subject_digest, sizeof check->subject_digest);
    memcpy(check->spki_digest, x509->spki_digest, sizeof check->spki_digest);
    memcpy(check->issuer, x509->issuer, sizeof check->issuer);
    memcpy(check->subject, x509->subject, sizeof check->subject);
}

static void end_server(struct th_trust_check *check)
{
    check->count = 1;
    check->hashes->sha256->out(&check->whole, check->whole_digest);
    judge_server(check);
    judge_pin(check);
    judge_dates(check);
    remember(check);
}

static void end_issuer(struct th_trust_check *check)
{
    if (memcmp(check->x509.subject_digest, check->issuer_digest, sizeof check->issuer_digest) !=
        0) {
        check->linked = false;
        return;
    }
    check->count++;
    check->hashes->sha256->out(&check->whole, check->whole_digest);
    judge_ca(check, false);
    judge_pin(check);
    judge_dates(check);
    remember(check);
}

static bool is_whole(struct th_trust_check *check)
{
    if (th_x509_end(&check->x509))
        return true;
    check->linked = false;
    fail(check, TH_ERR_TRUST_MALFORMED, check->count, check->x509.subject);
    return false;
}

void th_trust_certificate_end(struct th_trust_check *check)
{
    uint8_t role = check->role;
    bool judged = role == ROLE_SERVER || (role == ROLE_ISSUER && judges_chain(check));
    if (judged && is_whole(check)) {
        if (role == ROLE_SERVER)
            end_server(check);
        else
            end_issuer(check);
    }
    check->role = ROLE_NONE;
}

/* ---- the anchor ---- */

static void end_anchor(struct th_trust_check *check)
{
    const struct th_x509 *x509 = &check->x509;
    uint8_t digest[TH_SHA256_BYTES];
    check->hashes->sha256->out(&check->whole, digest);
    /* The very certificate the server sent last was judged already, perhaps as the server's own. */
    if (memcmp(digest, check->whole_digest, sizeof digest) == 0)
        return;
    bool same = memcmp(x509->subject_digest, check->subject_digest, TH_SHA256_BYTES) == 0 &&
                memcmp(x509->spki_digest, check->spki_digest, TH_SHA256_BYTES) == 0;
    if (!same)
        check->count++;
    judge_ca(check, same);
    judge_pin(check);
    judge_dates(check);
}

void th_trust_anchor(struct th_trust_check *check, struct th_span der)
{
    if (!judges_chain(check) || check->anchored || check->count == 0)
        return;
    check->anchored = true;
    begin_certificate(check, der.len, ROLE_ANCHOR);
    th_trust_feed(check, der.at, der.len);
    if (is_whole(check))
        end_anchor(check);
    check->role = ROLE_NONE;
}

/* ---- the end ---- */

static void judge_all(struct th_trust_check *check)
{
    if (check->count == 0)
        fail(check, TH_ERR_TRUST_MALFORMED, 0, "");
    if (check->trust->pin_count > 0 && !check->pinned)
        fail(check, TH_ERR_TRUST_PIN, 0, check->summary.subject);
}

enum th_error th_trust_end(struct th_trust_check *check, struct th_failure *out)
{
#ifndef TH_NO_INSECURE
    if (check->trust->mode == TH_TRUST_INSECURE_BENCH_ONLY)
        return TH_OK;
#endif
    judge_all(check);
    if (check->failure.error != TH_OK)
        *out = check->failure;
    return check->failure.error;
}

const struct th_trust_summary *th_trust_result(const struct th_trust_check *check)
{
    return &check->summary;
}
